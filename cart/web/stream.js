// The line to the cart: screens come in, touches go out.
//
// The stream is read with fetch and not with EventSource, because only so are the heartbeats seen: a line that
// is open but silent is as lost as a closed one, and the shopper is told within two seconds of either.

const SILENCE_MS = 1_900;
const RETRY_MS = 400;
const TAP_TRIES = 4;
const TAP_TIMEOUT_MS = 2_000;

// Calls onScreen(screen) for each screen and onLine(true|false) when the line comes up or is lost. Never ends.
export async function listen(onScreen, onLine) {
  for (;;) {
    const abort = new AbortController();
    let timer = setTimeout(() => abort.abort(), SILENCE_MS);
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), SILENCE_MS);
      onLine(true);
    };
    try {
      await readStream(abort.signal, alive, onScreen);
    } catch {
      // Closed, refused or silent: all the same to the shopper.
    }
    clearTimeout(timer);
    onLine(false);
    await pause(RETRY_MS);
  }
}

// Sends one touch; repeats it under one key when the line breaks, so that it acts once. Returns the HTTP status, 0 for none.
export async function send(tap) {
  const body = JSON.stringify({ ...tap, key: newKey() });
  for (let i = 0; i < TAP_TRIES; i += 1) {
    try {
      const answer = await fetch("/tap", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body,
        signal: AbortSignal.timeout(TAP_TIMEOUT_MS),
      });
      if (answer.status !== 503) return answer.status;
    } catch {
      // Try again below.
    }
    await pause(RETRY_MS);
  }
  return 0;
}

async function readStream(signal, alive, onScreen) {
  const answer = await fetch("/stream", { signal, cache: "no-store" });
  if (!answer.ok) throw new Error(`stream: ${answer.status}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const events = (text + value).split("\n\n");
    text = events.pop();
    for (const event of events) deliver(event, onScreen);
  }
}

function deliver(event, onScreen) {
  const data = event.split("\n").filter((line) => line.startsWith("data: "));
  if (data.length) onScreen(JSON.parse(data.map((line) => line.slice(6)).join("\n")));
}

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
