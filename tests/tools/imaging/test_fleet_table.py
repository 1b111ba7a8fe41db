"""carts.csv: read as any spreadsheet saves it; whatever is wrong in it is said at once, before the first card."""

import pytest

from cart.faults import Fault
from tests.tools.imaging import synthetic
from tools.imaging import fleet, fleet_table, manifest, stamp
from tools.imaging.cart_file import from_tables
from tools.imaging.progress import Progress
from tools.imaging.refusal import Options

COMMON = '[cart]\nchain = "demo"\nstore = "store-1"\n'
TOKEN = "q9Jm2xkqzvWQ4o1cZK8m7tT0bY3nR5sL"


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a table, given as text or as bytes."""

    def get(table, common=COMMON):
        (tmp_path / "carts.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
        (tmp_path / "store").mkdir(exist_ok=True)
        (tmp_path / "store" / "common.toml").write_text(common)
        return fleet_table.read_rows(tmp_path / "carts.csv", "/dev/sdx", tmp_path / "store" / "common.toml")

    return get


def refused(read, table):
    with pytest.raises(Fault) as met:
        read(table)
    assert met.value.code == "FLEET-BAD"
    return met.value.detail


@pytest.mark.parametrize(
    "table",
    [
        "cart,profile\ncart-1,pi5\n",
        "cart;profile\ncart-1;pi5\n",  # where the comma is in numbers
        "cart\tprofile\ncart-1\tpi5\n",
        "sep=;\r\ncart;profile\r\ncart-1;pi5\r\n",
        b"\xef\xbb\xbfcart,profile\r\ncart-1,pi5\r\n",
        "Cart, Profile \ncart-1 , pi5\n",
        "cart,profile,,\ncart-1,pi5,,\n,,,\n\n,,,\n",  # empty cells that a spreadsheet has beside and below
        '"cart","profile"\n"cart-1","pi5"\n',
    ],
)
def test_a_table_is_read_as_spreadsheets_save_it(read, table):
    (row,) = read(table)
    assert (row.cart, row.file.cart.id, row.file.profile, row.device) == ("cart-1", "cart-1", "pi5", "/dev/sdx")


def test_every_line_with_a_fault_is_named_at_once(read):
    said = refused(read, "cart,token,wifi_country\nCART-1,,\ncart-2,...,\n\ncart-3,,Germany\ncart-4,,\n")
    assert [line.split(":")[1] for line in said.splitlines()[1:]] == ["2", "3", "5"]
    assert said.startswith("3 in ")
    assert "small letters" in said
    assert "./tools/image.py token" in said


def test_many_faults_fill_one_screen_only(read):
    said = refused(read, "cart\n" + "".join(f"CART-{n}\n" for n in range(300)))
    assert len(said.splitlines()) == fleet_table.FAULTS_SHOWN + 2
    assert said.endswith("and 280 more")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("", "0 carts"),
        ("cart\n", "0 carts"),
        ("id,profile\ncart-1,pi5\n", "no column `cart` among id, profile"),
        ("cart,colour\ncart-1,\n", "'colour' means nothing"),
        ("cart,token,token\ncart-1,,\n", "`token` is there twice"),
        ("cart,\ncart-1,x\n", "a column without a name"),
        ("cart,profile\ncart-1\n", "more or fewer values"),
        ("cart\ncart-1\n cart-1 \n", "names a cart twice: cart-1"),
        (f"cart,token\ncart-1,{TOKEN}\ncart-2,{TOKEN}\n", "token twice, for: cart-1 and cart-2"),
        ("cart,image\ncart-1,a.img\ncart-2,a.img\n", "image twice"),
        ("cart,image,token\ncart-1,a.img,x\n", "token would have no effect"),
        ("cart,image\n../../x,a.img\n", "small letters"),
        ('cart\n"cart-1\n', "unexpected end of data"),
        ("cart\n=cmd|'/c calc'!A0\n", "small letters"),
        ("cart\tprofile\n".encode("utf-16"), "not UTF-8 text"),
        ("cart,wifi_ssid\ncart-1,Caf\xe9\n".encode("latin-1"), ":2: not UTF-8 text"),
    ],
)
def test_a_table_that_could_be_misunderstood_is_refused(read, table, says):
    assert says in refused(read, table)


def test_a_token_that_is_there_twice_is_not_printed(read):
    assert TOKEN not in refused(read, f"cart,token\ncart-1,{TOKEN}\ncart-2,{TOKEN}\n")


def test_paths_are_taken_from_the_folder_of_the_file_that_names_them(read, tmp_path):
    (row,) = read("cart,calibration\ncart-1,c/1.jsonl\n", f'store_key = "store.pub"\nprofile = "./own.toml"\n{COMMON}')
    assert row.file.calibration == str(tmp_path / "c" / "1.jsonl")
    assert row.file.store_key == str(tmp_path / "store" / "store.pub")
    assert row.file.profile == str(tmp_path / "store" / "own.toml")
    assert read("cart,profile\ncart-1,pi5\n")[0].file.profile == "pi5", "a plain word is one of ours"


def test_an_endless_table_is_refused(tmp_path):
    with pytest.raises(Fault, match="not an ordinary file"):
        fleet_table.read_rows(synthetic.Path("/dev/zero"), "/dev/sdx")


# -- before the first card -------------------------------------------------------------------


def refused_run(rows, tmp_path, base):
    asked = []
    plan = fleet.Plan(tuple(rows), Options(allow_loop=True), tmp_path / "r", base)
    with pytest.raises(Fault) as met:
        fleet.run(plan, asked.append, lambda row, _: asked.append(row) or fleet.STOP, Progress(quiet=True))
    assert met.value.code == "FLEET-BAD"
    assert asked == [], "nobody is asked for a card"
    return met.value.detail


def test_what_only_the_last_row_asks_for_is_missed_before_the_first_card(read, tmp_path, built):
    rows = read("cart,calibration,timezone\ncart-1,,\ncart-2,nowhere.jsonl,\ncart-3,,Mars/Phobos\n")
    said = refused_run(rows, tmp_path, built())
    assert "cart-2: " in said
    assert "nowhere.jsonl: No such file" in said
    assert "cart-3: locale.timezone" in said


def test_an_image_that_is_another_carts_or_not_there_is_refused(read, tmp_path, built):
    tables = {"cart": {"id": "cart-8", "chain": "demo", "store": "s"}}
    out = tmp_path / "eight.img"
    stamp.stamp(stamp.Order(built(), from_tables(tables, tmp_path, "x"), out), Progress(quiet=True))
    assert manifest.beside(out, manifest.SUFFIX).is_file()
    said = refused_run(read("cart,image\ncart-9,eight.img\ncart-10,ten.img\n"), tmp_path, None)
    assert "eight.img is the image of cart-8" in said
    assert "no image" in said


def test_rows_without_an_image_need_a_base_that_was_built(read, tmp_path, stock):
    rows = read("cart\ncart-1\n")
    assert "--base" in refused_run(rows, tmp_path, None)
    with pytest.raises(Fault, match=r"cart\.toml"):
        fleet.check(fleet.Plan(rows, Options(), tmp_path / "r", stock()), list(rows))
