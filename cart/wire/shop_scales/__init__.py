"""Shop scales over a serial line, sans-IO: what a scale says becomes an `Indication`, a state that may have a number.

    bytes of the port -> line (parity) -> decoder (frames) -> codec (one module a protocol) -> Indication
                                       poller: when to ask, and when silence or garbage has a name
                                       confirm: what has to be said twice

`protocols.PROTOCOLS` is the one table: name, line, question, patience, decoder. A weight is a number only when the
scale said that number: nothing is clamped, no error becomes 0, and a silent scale does not keep its last weight.
"""
