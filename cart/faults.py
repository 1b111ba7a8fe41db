"""Every fault that is shown to people: a stable code, what it means, likely causes in order, the next command.

Code that meets an operating error raises `Fault("CODE", "detail")`; a mistake of the programmer is an assert.
docs/OPERATING.md holds the same table for people, and a test compares the two.
"""

from cart.fault_text import EXIT_CONFIGURATION, EXIT_HARDWARE, EXIT_USAGE, FaultText
from cart.fault_text import EXIT_FAILED as EXIT_FAILED
from cart.fault_text import EXIT_OK as EXIT_OK
from cart.faults_classifier import CLASSIFIER_FAULTS


class Fault(Exception):
    """An operating error with a code from FAULTS.

    code    key of FAULTS
    detail  what exactly was met: the path, the port, the value
    """

    def __init__(self, code: str, detail: str = "") -> None:
        """Keep the code and the detail; an unknown code is a programmer's mistake."""
        assert code in FAULTS, f"{code} has no row in FAULTS"
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail

    @property
    def text(self) -> FaultText:
        """The row of this fault's code."""
        return FAULTS[self.code]


# Sorted by code. A row stays once released: people and dashboards search for codes.
_FAULTS: dict[str, FaultText] = {
    "BENCH-PROCESS": FaultText(
        "a program of the bench did not start",
        ("its log says why", "the installation is not complete"),
        "./tools/bench, which sets up first",
    ),
    "BOOT-BUILD": FaultText(
        "the boot test's guest could not be made",
        ("the mirror does not answer", "the disk is full", "arm64 programs cannot run here: see ./tools/boot_test.py"),
        "its log says why; then ./tools/boot_test.py again, which goes on with what is cached",
    ),
    "BOOT-MISSING": FaultText(
        "the boot test lacks programs, or this machine cannot run arm64 programs",
        ("the system packages were not installed", "binfmt_misc is not mounted, or has no entry for arm64"),
        "the lines above say what to run",
        EXIT_USAGE,
    ),
    "BOOT-NO-MIRROR": FaultText(
        "no mirror for the boot test's Debian is known",
        ("this machine runs no Debian", "apt-get update was never run"),
        "on a Debian 12 or later: sudo apt-get update",
        EXIT_CONFIGURATION,
    ),
    "BOOT-NOT-ROOT": FaultText(
        "the first run of the boot test makes a file system and needs root",
        ("this is the first run with this cache",),
        "sudo ./tools/boot_test.py --prepare, then again without sudo and with the same --cache",
        EXIT_USAGE,
    ),
    "BOOT-STUCK": FaultText(
        "the emulated cart did not come as far as the boot test waited for",
        ("a change broke the start", "this machine is slow or busy: give it --patience 2"),
        "look at its console in the log that --log names",
    ),
    "BOOT-WRONG": FaultText(
        "the emulated cart did something else than it should",
        ("a change broke the charge, the restart or the weighing",),
        "look at its console in the log that --log names",
    ),
    "BROKER-MISSING": FaultText(
        "the bench needs mosquitto, which is not installed",
        ("the system packages were not installed",),
        "sudo apt install mosquitto",
        EXIT_CONFIGURATION,
    ),
    "BROKER-UNREACHABLE": FaultText(
        "the MQTT broker does not answer",
        ("the broker is not running", "wrong [broker] host or port", "the network is down"),
        "cart doctor",
    ),
    "CALIBRATION-BAD": FaultText(
        "the calibration record cannot be used",
        ("the file was edited or torn", "it belongs to another load cell or converter"),
        "keep the file under another name, as evidence, then: cart scale calibrate",
        EXIT_CONFIGURATION,
    ),
    "CALIBRATION-EXPIRED": FaultText(
        "the calibration is older than it may be",
        ("it was made for a limited time, 12 months unless told otherwise", "the wall clock is wrong"),
        "sudo systemctl stop cart.service, then: cart scale calibrate",
    ),
    "CALIBRATION-FOREIGN": FaultText(
        "the calibration is of another converter than the one that speaks",
        ("the converter, or cell and converter, were exchanged", "the record was copied from another cart"),
        "sudo systemctl stop cart.service, then: cart scale calibrate",
        EXIT_CONFIGURATION,
    ),
    "CALIBRATION-JOURNAL": FaultText(
        "the points of a calibration that was stopped cannot be gone on with",
        ("an earlier one was not finished", "another one is under way", "the load cell was exchanged since"),
        "cart scale calibrate --resume, or with --restart to forget them",
        EXIT_USAGE,
    ),
    "CALIBRATION-MISSING": FaultText(
        "there is no calibration record, so counts cannot be turned into mass",
        ("this cart was never calibrated", "wrong path in [scale] calibration"),
        "cart scale calibrate",
        EXIT_CONFIGURATION,
    ),
    "CALIBRATION-STOPPED": FaultText(
        "the calibration was stopped; the old one is still in force",
        ("it was stopped by hand", "a point was refused again and again"),
        "cart scale calibrate --resume",
    ),
    "CALIBRATION-UNSAVED": FaultText(
        "the disk takes no calibration; the old one is still in force, and points that were taken are kept",
        ("the disk is full", "the folder is missing, or not writable for this user", "the disk is read-only"),
        "make room (df -h), or name another place with --calibration, then: cart scale calibrate --resume",
    ),
    "CAMERA-MISSING": FaultText(
        "the camera cannot be opened",
        ("the ribbon cable or plug is loose", "wrong [camera] device", "another program holds the camera"),
        "see that the system knows it (rpicam-hello --list-cameras, or ls /dev/video*), then: cart camera test",
        EXIT_HARDWARE,
    ),
    "CARD-BUSY": FaultText(
        "the card is in use, so it is not written",
        ("a partition of it is mounted", "another writer has it open"),
        "lsblk shows what is mounted: sudo umount it; then run the same command again",
        EXIT_HARDWARE,
    ),
    "CARD-DENIED": FaultText(
        "this user may not write to the card's device",
        ("block devices belong to root",),
        "run the same command with sudo",
        EXIT_HARDWARE,
    ),
    "CARD-FACTS": FaultText(
        "the system does not tell what the device is, so it is not written",
        ("lsblk or findmnt is missing", "there is no such device"),
        "sudo apt install util-linux, then: lsblk",
        EXIT_HARDWARE,
    ),
    "CARD-FAILED": FaultText(
        "the card or its reader fails",
        ("the card was pulled out", "the card is worn out", "the reader or its cable is bad"),
        "run the same command again, in another reader: it goes on where it stopped; else throw the card away",
        EXIT_HARDWARE,
    ),
    "CARD-FAKE": FaultText(
        "the card holds less than it says",
        ("it is a fake card", "it is worn out"),
        "throw the card away",
        EXIT_HARDWARE,
    ),
    "CARD-RESULTS": FaultText(
        "the result of the card cannot be stored",
        ("the folder is not writable", "the disk is full"),
        "name another folder with --results, then run the same command with --check",
    ),
    "CARD-WRONG": FaultText(
        "the card does not hold what the image says",
        ("the card is worn out or fake", "the reader or its cable is bad", "the card was changed after it was written"),
        "write it again in another reader; throw the card away if it fails again",
        EXIT_HARDWARE,
    ),
    "CATALOG-FAULTS": FaultText(
        "the catalogue has faults",
        ("two products share a code", "a row lacks a price or a mass", "the file is not a catalogue"),
        "mend the rows named by: cart catalog lint FILE",
        EXIT_CONFIGURATION,
    ),
    "CATALOG-UNREADABLE": FaultText(
        "the catalogue file cannot be read",
        ("wrong [catalog] path", "the file's permissions keep this user out", "the file is not UTF-8 text"),
        "correct [catalog] path, then: cart config check",
        EXIT_CONFIGURATION,
    ),
    "CLOCK-UNSET": FaultText(
        "the wall clock was never set, so what is dated now would have a wrong date",
        ("no network since the start: a Raspberry Pi has no battery clock",),
        "connect to the network, or: sudo timedatectl set-time 'YYYY-MM-DD HH:MM:SS'",
    ),
    "CONFIG-FAULTS": FaultText(
        "the configuration has faults",
        ("a misspelt key", "a value outside its range", "a broken line"),
        "mend the lines above, then: cart config check",
        EXIT_CONFIGURATION,
    ),
    "CONFIG-MISSING": FaultText(
        "the configuration file cannot be read",
        ("wrong path", "the file's permissions keep this user out"),
        "copy firmware_config/cart.toml to the place named, or name another with --config",
        EXIT_CONFIGURATION,
    ),
    "CORE-POISONED": FaultText(
        "an event broke the core; the cart starts again with the basket that was saved",
        ("a mistake in the program",),
        "send the file `poison` of the state directory and the recording, and run: cart replay RECORDING",
    ),
    "CORE-STUCK": FaultText(
        "the core no longer takes events; the cart starts again",
        ("the processor is overloaded", "a device holds up the loop"),
        "cart doctor",
    ),
    "CROP-NO-KEY": FaultText(
        "pictures for review are dropped, for there is no key of the store to seal them with",
        ("the store has given this cart no key for pictures",),
        "nothing, if the store does not review pictures; else copy its pictures.pub into [keys] dir",
    ),
    "CROP-NOT-KEPT": FaultText(
        "a picture for review was dropped, for it could not be written",
        ("the disk is full or read-only", "as many pictures wait for the store as the spool holds"),
        "df -h; then fetch the .sealed files of the state directory's crops/ to the store, and delete them here",
    ),
    "DATABASE-BAD": FaultText(
        "the database cannot be opened or is damaged",
        ("the state directory is not writable", "the disk is full", "the SD card fails"),
        "cart doctor",
        EXIT_HARDWARE,
    ),
    "DATABASE-MISSING": FaultText(
        "there is no database here",
        ("the cart never ran with this configuration", "wrong [cart] state_dir"),
        "cart config show, then: cart run",
    ),
    "ENGINE-MISSING": FaultText(
        "no barcode engine is installed, so no code will be read",
        ("neither zxing-cpp nor pyzbar is in this Python", "the system package libzbar0 is missing"),
        "pip install zxing-cpp",
        EXIT_CONFIGURATION,
    ),
    "FLEET-BAD": FaultText(
        "the table of carts cannot be used",
        ("a column is missing", "a cart is named twice", "neither image nor --base is given"),
        "mend the table: tools/image.py fleet --help says its columns",
        EXIT_CONFIGURATION,
    ),
    "IMAGE-ACCOUNT": FaultText(
        "the users of the cart cannot be put into the image",
        ("the image has another user of that name or number", "places.toml and sysusers.d do not agree"),
        "choose free numbers under [owners] in firmware_config/places.toml",
        EXIT_CONFIGURATION,
    ),
    "IMAGE-BUILT": FaultText(
        "the image has a cart on it already",
        ("the result of a build was named as its base",),
        "build on the stock image; ./tools/image.py inspect IMAGE tells them apart",
        EXIT_USAGE,
    ),
    "IMAGE-BUSY": FaultText(
        "another run makes the same image",
        ("the same command runs in another window",),
        "wait until it has ended, or name another file with --out",
    ),
    "IMAGE-CART-FILE": FaultText(
        "the file that describes a cart has a fault",
        ("a misspelt key", "a value outside its form", "a file that it names is not there"),
        "mend it; ./tools/image.py stamp --help shows one",
        EXIT_CONFIGURATION,
    ),
    "IMAGE-CHANGED": FaultText(
        "the image changed while it was written to a card",
        ("another program writes to the file",),
        "run the same command again when the image is finished",
    ),
    "IMAGE-DAMAGED": FaultText(
        "the image is not as it was made",
        ("the disk or its cable is failing", "somebody changed it", "an interrupted copy"),
        "make it again, and check the disk when it happens twice",
    ),
    "IMAGE-DIRTY": FaultText(
        "the root file system of the image was not left in order",
        ("the image was read from a card that was in use", "a download was damaged"),
        "take the stock image, or mend a copy of this one with e2fsck",
    ),
    "IMAGE-DISK-FULL": FaultText(
        "there is no room here for the image",
        ("old images fill the disk",),
        "free space, or name another folder with --out",
    ),
    "IMAGE-FEATURE": FaultText(
        "the root file system of the image has features that the programs here do not know",
        ("the image is newer than this machine",),
        "upgrade e2fsprogs, or build on a newer system",
    ),
    "IMAGE-HASH": FaultText(
        "a file is not the one that was expected",
        ("an interrupted or damaged download", "the hash belongs to another version"),
        "download it again and compare the hash with the publisher's",
    ),
    "IMAGE-LAYOUT": FaultText(
        "this is not the image of a Raspberry Pi card",
        ("the file is something else", "it is packed in a form other than xz"),
        "name an .img or .img.xz with a FAT and an ext4 partition",
    ),
    "IMAGE-MACHINE": FaultText(
        "the image is for another processor",
        ("the 32-bit image was downloaded",),
        "take the 64-bit (arm64) image",
    ),
    "IMAGE-MANIFEST": FaultText(
        "the manifest of the image cannot be used",
        ("the image was copied without the files beside it", "build did not end"),
        "build the image again, and keep the files beside it",
        EXIT_CONFIGURATION,
    ),
    "IMAGE-MAP": FaultText(
        "the block map of the image cannot be used",
        ("the image was copied without the files beside it", "the map was changed or torn"),
        "make the image again, and keep the files beside it",
        EXIT_CONFIGURATION,
    ),
    "IMAGE-NAME": FaultText(
        "a name cannot be used",
        ("it holds a line end or another mark that would be misread", "the result would take the place of its source"),
        "choose another name",
        EXIT_USAGE,
    ),
    "IMAGE-NO-SPACE": FaultText(
        "there is no room in the image",
        ("a cart was stamped with more than is left",),
        "build again with a larger --spare-mb",
    ),
    "IMAGE-RELEASE": FaultText(
        "nobody has tried this system with the cart",
        ("a newer or older release was downloaded", "another distribution"),
        "take Raspberry Pi OS Lite, 64-bit, of a release that is named",
    ),
    "IMAGE-TOOL-FAILED": FaultText(
        "a program that works on images met an error",
        ("the image is damaged", "the disk is full or failing"),
        "./tools/image.py inspect IMAGE",
    ),
    "IMAGE-TOOL-MISSING": FaultText(
        "a program that works on images is not installed",
        ("the system packages were not installed",),
        "sudo apt install fdisk mtools e2fsprogs",
        EXIT_CONFIGURATION,
    ),
    "IMAGE-TRUNCATED": FaultText(
        "the image is cut off",
        ("an interrupted download or copy",),
        "download it again",
    ),
    "IMAGE-UNREADABLE": FaultText(
        "the image cannot be read",
        ("wrong path", "it is packed with something other than xz"),
        "name an .img or .img.xz file",
    ),
    "IMAGE-UNWRITABLE": FaultText(
        "the result cannot be written there",
        ("there is no such folder", "it belongs to another user, or is read-only"),
        "name another place with --out",
        EXIT_USAGE,
    ),
    "IMAGE-WHEEL-TAG": FaultText(
        "a wheel does not fit the image's Python or processor",
        ("the wheelhouse was made for another release",),
        "./tools/image.py wheelhouse --release RELEASE --out DIR",
        EXIT_CONFIGURATION,
    ),
    "IMAGE-WHEELS": FaultText(
        "the wheelhouse is not complete or cannot be read",
        ("an interrupted download", "a package is missing in firmware_config/wheels", "no registry can be reached"),
        "./tools/image.py wheelhouse --release RELEASE --out DIR",
        EXIT_CONFIGURATION,
    ),
    "KEY-BAD": FaultText(
        "a key file holds no usable key",
        ("the file was edited or torn", "it is a key of another kind"),
        "put the key back from its backup, or enrol this cart again with a new pair",
        EXIT_CONFIGURATION,
    ),
    "KEY-MISSING": FaultText(
        "a key file cannot be read",
        (
            "this cart or store has no keys yet",
            "wrong [keys] dir or --keys",
            "the file's permissions keep this user out",
        ),
        "cart-backoffice keys init --keys DIR makes the store's; a cart makes its own at its first start",
        EXIT_CONFIGURATION,
    ),
    "KEY-OPEN": FaultText(
        "a private key may be read by others than its owner",
        ("the file was copied without its mode",),
        "chmod 600 the file; if others had access to it, make a new pair and enrol again",
        EXIT_CONFIGURATION,
    ),
    "KIOSK-PORT-BUSY": FaultText(
        "the address of the shopper's screen cannot be listened on",
        ("another cart runs on this machine", "another program holds the port", "wrong [kiosk] host or port"),
        "end the other program (ss -ltnp names it) or change [kiosk] port",
        EXIT_CONFIGURATION,
    ),
    "LEDGER-BAD": FaultText(
        "the store's ledger cannot be opened or written",
        ("the folder is not writable", "the disk is full", "the file is not a ledger"),
        "mend the disk or the path in --db; nothing is acknowledged meanwhile, the carts keep their charges",
        EXIT_HARDWARE,
    ),
    "LEDGER-URL": FaultText(
        "the ledger's URL cannot be used",
        ("a misspelt scheme: sqlite:PATH is what there is", "PostgreSQL, which is not built yet"),
        "cart-backoffice serve --db sqlite:ledger.sqlite3",
        EXIT_CONFIGURATION,
    ),
    "LEGAL-HASH-DIFFERS": FaultText(
        "the legally relevant part is not the one that was verified, so this sealed cart does not run",
        ("an update changed it", "somebody edited a file of it"),
        "install the version that was verified, or break the seal, have the scale verified, and: cart seal make",
        EXIT_CONFIGURATION,
    ),
    "LEGAL-LOG-BAD": FaultText(
        "the log of trade weighings was damaged or edited; a sealed cart does not run on it",
        ("the SD card fails", "somebody edited the database"),
        "keep the database as it is for the inspector: cart seal log says which record; then have the cart verified",
        EXIT_CONFIGURATION,
    ),
    "LEGAL-SEAL-BAD": FaultText(
        "the seal's jumper and its record do not agree",
        ("there is no seal record", "the scale was calibrated after it was verified", "the disk is of another cart"),
        "cart seal show says what differs; only with the jumper open: cart seal make",
        EXIT_CONFIGURATION,
    ),
    "LEGAL-UNFIT": FaultText(
        "this scale cannot be put forward for verification yet",
        ("its calibration lacks something", "its calibration has expired", "it does not weigh well enough for its e"),
        "mend what is named, then: cart scale calibrate with --latitude and --e-g, then cart seal make again",
        EXIT_CONFIGURATION,
    ),
    "OUTPUT-LOST": FaultText(
        "standard output takes nothing more, so not all was printed",
        ("the disk that it goes to is full", "the terminal is gone"),
        "make room (df -h), or print to another place; then run the same command again",
    ),
    "PANEL-MISSING": FaultText(
        "the panel with lights, button and gate contact does not answer",
        (
            "RPi.GPIO is not installed, or this is not a Raspberry Pi",
            "another program holds a pin",
            "wrong [panel] device",
        ),
        "cart doctor",
        EXIT_HARDWARE,
    ),
    "PICTURE-BAD": FaultText(
        "this is no sealed picture, or it was changed or torn since it was sealed",
        ("the copy is incomplete", "the file was edited", "it is another kind of file"),
        "copy it again from the cart's spool",
    ),
    "PICTURE-OTHER-KEY": FaultText(
        "the picture was sealed to another key than this one",
        ("it is another store's", "the store made a new pair since", "wrong --keys"),
        "the same command with --keys DIR of the pair whose id is in the file's first line",
    ),
    "RECORDING-BAD": FaultText(
        "the recording cannot be replayed",
        ("the file is not a recording", "its first line is damaged", "a later version of cart made it"),
        "name a .rec or .rec.gz file from [recording] dir",
    ),
    "RECORDING-DISK-FULL": FaultText(
        "the disk is full: the trip goes on without a recording",
        ("old recordings or other files fill the disk",),
        "free space; recording starts again by itself within half a minute",
    ),
    "RECORDING-FAILED": FaultText(
        "the recording cannot be written: the trip goes on without it",
        ("[recording] dir is not writable", "the SD card fails"),
        "cart doctor",
    ),
    "RUN-DIR-BAD": FaultText(
        "the folder for sockets cannot be used",
        ("wrong [cart] run_dir", "this user may not write there", "its path is too long for a socket (107 characters)"),
        "cart config show",
        EXIT_CONFIGURATION,
    ),
    "SCALE-DEVICE": FaultText(
        "this names no load cell",
        ("a mistype in --device",),
        "name serial:PORT, file:PATH or simulated; ls /dev/serial/by-id shows what is plugged in",
        EXIT_USAGE,
    ),
    "SCALE-FILE-UNREADABLE": FaultText(
        "the file of load-cell lines cannot be read",
        ("wrong path", "the file's permissions keep this user out"),
        "check the path, or read from a pipe with: cart scale detect -",
    ),
    "SCALE-PORT-BUSY": FaultText(
        "the load cell's serial port is held by another program",
        ("a second cart or a terminal program has it open",),
        "sudo systemctl stop cart.service, or end the program that is named; then again",
        EXIT_HARDWARE,
    ),
    "SCALE-PORT-DENIED": FaultText(
        "this user may not open the load cell's serial port",
        ("the user is not in the group dialout", "the udev rule is not installed"),
        "sudo usermod -aG dialout $USER, sign in again, then: cart doctor",
        EXIT_HARDWARE,
    ),
    "SCALE-PORT-MISSING": FaultText(
        "the load cell's serial port does not exist",
        ("the cable is unplugged", "wrong [scale] device", "the udev rule is not installed"),
        "cart doctor",
        EXIT_HARDWARE,
    ),
    "SCALE-SILENT": FaultText(
        "the load cell says nothing that can be read",
        ("the converter has no supply", "wrong [scale] baud", "another device has this port"),
        "cart scale watch, then check cable and baud",
        EXIT_HARDWARE,
    ),
    "SHOP-SCALE-GARBLED": FaultText(
        "the shop scale sends bytes, but no frame of this protocol",
        ("the scale is set to another protocol", "the speed or the framing is not the scale's", "a bad cable"),
        "look up the scale's own settings, then: cart scale read --protocol P --baud N --framing F DEVICE",
        EXIT_HARDWARE,
    ),
    "SHOP-SCALE-PORT": FaultText(
        "the shop scale's serial port cannot be used",
        ("the cable is unplugged", "another program has it open", "the user is not in the group dialout"),
        "name one of the ports that are here: cart scale read --protocol P DEVICE",
        EXIT_HARDWARE,
    ),
    "SHOP-SCALE-PROTOCOL": FaultText(
        "there is no shop-scale protocol of that name",
        ("a misspelt name", "the protocol is not built yet: docs/PROTOCOL.md says which are"),
        "cart scale read --help",
        EXIT_USAGE,
    ),
    "SHOP-SCALE-SILENT": FaultText(
        "the shop scale does not answer",
        (
            "the scale is off, or set to another protocol",
            "the cable is not the right one: a null-modem cable crosses RX and TX",
            "the wrong port",
        ),
        "compare the scale's settings with the table in docs/PROTOCOL.md, and try: cart scale simulate",
        EXIT_HARDWARE,
    ),
    "STATE-DIR-BAD": FaultText(
        "the state directory cannot be used",
        ("it belongs to another user", "the disk is full or read-only", "wrong [cart] state_dir"),
        "cart doctor",
        EXIT_CONFIGURATION,
    ),
    "STATE-DIR-BUSY": FaultText(
        "another daemon runs on the same state directory",
        ("the service is running already", "two configurations name the same [cart] state_dir"),
        "systemctl stop cart, or end the process named",
        EXIT_CONFIGURATION,
    ),
    "TRIP-UNREADABLE": FaultText(
        "the stored trip was written by another version; it was kept beside the database, and the cart started idle",
        ("the package was downgraded", "the trip's row was changed by hand"),
        "settle the basket with the shopper from the file trip-unreadable-*.json in [cart] state_dir",
        EXIT_HARDWARE,
    ),
}

FAULTS: dict[str, FaultText] = dict(sorted({**_FAULTS, **CLASSIFIER_FAULTS}.items()))
"""Every row: those above, and those of the classifier."""
