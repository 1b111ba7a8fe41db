"""A product's picture as SVG text, drawn by rule: a shape for its kind, a colour for its sort.

A store has thousands of products and no drawings, so a picture must exist for each: known kinds of goods have a shape
of their own here, and every other product gets a packet with its first letter in a colour that follows from its
group. Pictures are decoration beside a name, never the only sign of what is meant.
"""

from __future__ import annotations

import binascii
from html import escape

from cart.core.catalog import Catalog, Product

INK = "#3b3a36"
LEAF = "#4f8a3c"

# What can be drawn; {a} is the main colour, {b} the second. Each fits a square of 100.
SHAPES = {
    "apple": """
        <path d="M50 30c-12-9-34-4-34 22 0 24 16 40 25 40 4 0 6-2 9-2s5 2 9 2c9 0 25-16 25-40 0-26-22-31-34-22z"
            fill="{a}"/>
        <path d="M30 42c-6 4-7 14-5 20" stroke="#fff" stroke-opacity=".6" stroke-width="5" fill="none"
            stroke-linecap="round"/>
        <path d="M50 31c0-8 2-14 6-20" stroke="{ink}" stroke-width="4" fill="none" stroke-linecap="round"/>
        <path d="M54 22c6-10 16-11 24-8-4 9-13 13-24 8z" fill="{leaf}"/>
    """,
    "citrus": """
        <circle cx="50" cy="54" r="36" fill="{a}"/>
        <path d="M28 46c4-8 9-12 15-14" stroke="#fff" stroke-opacity=".6" stroke-width="5" fill="none"
            stroke-linecap="round"/>
        <circle cx="50" cy="20" r="4" fill="{leaf}"/>
        <path d="M52 19c8-10 18-10 26-6-5 9-15 12-26 6z" fill="{leaf}"/>
        <g fill="{b}">
        <circle cx="62" cy="48" r="2"/>
        <circle cx="70" cy="60" r="2"/>
        <circle cx="56" cy="68" r="2"/>
        <circle cx="40" cy="62" r="2"/>
        <circle cx="52" cy="82" r="2"/>
        </g>
    """,
    "lemon": """
        <path d="M12 62c2-26 26-42 50-38 8 0 14-4 20-2 4 4 1 10 2 18 2 26-18 44-42 42-8 0-14 6-22 4-8-4-4-14-8-24z"
            fill="{a}"/>
        <path d="M28 56c3-10 10-17 20-20" stroke="#fff" stroke-opacity=".6" stroke-width="5" fill="none"
            stroke-linecap="round"/>
    """,
    "banana": """
        <path d="M20 16c-4 40 18 68 62 66 6 0 8-6 4-9C60 70 42 52 34 16c-2-6-13-6-14 0z" fill="{a}"/>
        <path d="M27 22c6 28 22 46 48 54" stroke="{b}" stroke-width="3" fill="none"/>
        <path d="M21 16l3-8 8 1 1 7z" fill="{ink}"/>
        <circle cx="85" cy="77" r="5" fill="{ink}"/>
    """,
    "half": """
        <ellipse cx="50" cy="54" rx="34" ry="38" fill="{b}"/>
        <ellipse cx="50" cy="55" rx="27" ry="31" fill="{a}"/>
        <ellipse cx="50" cy="60" rx="13" ry="14" fill="{c}"/>
    """,
    "slice": """
        <circle cx="50" cy="52" r="39" fill="{b}"/>
        <circle cx="50" cy="52" r="33" fill="{a}"/>
        <circle cx="50" cy="52" r="10" fill="#f4f3dc"/>
        <g fill="{ink}">
        <circle cx="50" cy="34" r="2.5"/>
        <circle cx="63" cy="39" r="2.5"/>
        <circle cx="68" cy="52" r="2.5"/>
        <circle cx="63" cy="65" r="2.5"/>
        <circle cx="50" cy="70" r="2.5"/>
        <circle cx="37" cy="65" r="2.5"/>
        <circle cx="32" cy="52" r="2.5"/>
        <circle cx="37" cy="39" r="2.5"/>
        </g>
    """,
    "melon": """
        <circle cx="50" cy="54" r="38" fill="{a}"/>
        <path d="M50 16c-22 20-22 56 0 76M50 16c22 20 22 56 0 76M50 16v76" stroke="{b}" stroke-width="4"
            fill="none"/>
        <path d="M50 16c-1-5 1-8 6-10" stroke="{leaf}" stroke-width="5" fill="none" stroke-linecap="round"/>
    """,
    "pear": """
        <path d="M50 20c-14 0-14 16-17 26-4 10-15 14-15 28 0 12 14 20 32 20s32-8
            32-20c0-14-11-18-15-28-3-10-3-26-17-26z" fill="{a}"/>
        <path d="M32 64c-5 4-6 8-5 13" stroke="#fff" stroke-opacity=".6" stroke-width="5" fill="none"
            stroke-linecap="round"/>
        <path d="M50 21c0-6 1-10 5-14" stroke="{ink}" stroke-width="4" fill="none" stroke-linecap="round"/>
        <path d="M53 15c7-8 15-8 22-5-4 8-12 10-22 5z" fill="{leaf}"/>
    """,
    "pineapple": """
        <ellipse cx="50" cy="64" rx="25" ry="31" fill="{a}"/>
        <path d="M30 48l36 44M26 62l26 32M44 36l30 40M70 48L34 92M74 62L48 94M56 36L26 76" stroke="{b}"
            stroke-width="3"/>
        <path d="M50 36c-4-14-14-20-22-20 4 8 8 14 14 18-4-14 2-24 8-30 6 6 12 16 8 30 6-4 10-10 14-18-8 0-18 6-22
            20z" fill="{leaf}"/>
    """,
    "stonefruit": """
        <circle cx="50" cy="55" r="36" fill="{a}"/>
        <path d="M50 20c-14 18-14 50 2 70" stroke="{b}" stroke-width="4" fill="none"/>
        <path d="M72 38c5 6 7 12 7 18" stroke="#fff" stroke-opacity=".5" stroke-width="5" fill="none"
            stroke-linecap="round"/>
        <path d="M50 20c6-12 18-14 30-9-5 11-16 15-30 9z" fill="{leaf}"/>
    """,
    "crowned": """
        <circle cx="50" cy="58" r="35" fill="{a}"/>
        <path d="M38 27l-4-17 10 7 6-10 6 10 10-7-4 17z" fill="{b}"/>
        <path d="M28 50c3-8 8-12 14-14" stroke="#fff" stroke-opacity=".5" stroke-width="5" fill="none"
            stroke-linecap="round"/>
    """,
    "spears": """
        <g stroke="{a}" stroke-width="10" stroke-linecap="round">
        <path d="M34 90V30M50 92V22M66 90V30"/>
        </g>
        <g fill="{b}">
        <path d="M34 8l8 22H26zM50 2l8 22H42zM66 8l8 22H58z"/>
        </g>
        <rect x="24" y="62" width="52" height="11" rx="5" fill="#d9b44a"/>
    """,
    "aubergine": """
        <path d="M66 26c18 4 22 30 8 48S34 98 24 86s2-24 14-36 14-28 28-24z" fill="{a}"/>
        <path d="M58 34c-6-12 2-20 14-18l10-10 6 6-8 10c4 12-2 18-10 18-6 2-10-2-12-6z" fill="{leaf}"/>
        <path d="M46 60c-6 6-11 11-12 18" stroke="#fff" stroke-opacity=".45" stroke-width="5" fill="none"
            stroke-linecap="round"/>
    """,
    "cabbage": """
        <circle cx="50" cy="52" r="39" fill="{b}"/>
        <path d="M50 90C26 84 20 60 30 38 40 22 60 22 70 38c10 22 4 46-20 52z" fill="{a}"/>
        <path d="M50 90V36M50 62L36 46M50 62l14-16M50 78L32 64M50 78l18-14" stroke="#fff" stroke-opacity=".8"
            stroke-width="4" fill="none" stroke-linecap="round"/>
    """,
    "root": """
        <path d="M30 34c8-10 32-10 40 0 4 10-8 40-18 58-1 3-3 3-4 0C38 74 26 44 30 34z" fill="{a}"/>
        <path d="M36 48h12M54 60h8M42 70h9" stroke="{b}" stroke-width="4" stroke-linecap="round"/>
        <path d="M50 32C46 18 36 12 30 12c2 10 8 18 20 20-2-14 0-22 0-28 6 6 6 16 0 28 10-4 18-10 20-20-8 0-16 6-20
            20z" fill="{leaf}"/>
    """,
    "long": """
        <g transform="rotate(-35 50 50)">
        <rect x="4" y="34" width="92" height="32" rx="16" fill="{a}"/>
        <path d="M18 44h60M24 56h58" stroke="{b}" stroke-width="3" stroke-linecap="round"/>
        <rect x="92" y="44" width="8" height="12" rx="3" fill="{leaf}"/>
        </g>
    """,
    "garlic": """
        <path d="M50 12c-2 16-8 20-18 28-22 18-10 50 18 50s40-32 18-50c-10-8-16-12-18-28z" fill="{a}" stroke="{b}"
            stroke-width="3"/>
        <path d="M50 34c-10 14-14 38-6 54M50 34c10 14 14 38 6 54" stroke="{b}" stroke-width="3" fill="none"/>
    """,
    "ginger": """
        <path d="M10 62c0-14 16-16 24-20 2-12 0-28 12-28s12 14 10 24c8 2 14-4 22 0s16 12 10 20-18 2-24 8c4 12 2
            24-10 24s-12-10-14-20c-10 6-30 8-30-8z" fill="{a}"/>
        <path d="M24 56c4 2 6 6 6 10M44 24c4 2 8 2 10 0M64 46c2 4 2 8 0 12" stroke="{b}" stroke-width="3"
            fill="none" stroke-linecap="round"/>
    """,
    "leek": """
        <path d="M43 50h14v36c0 8-14 8-14 0z" fill="#f3f1dd"/>
        <path d="M43 58V34L26 6l18 14 6-18 6 18L74 6 57 34v24z" fill="{a}"/>
        <path d="M50 14v44" stroke="{b}" stroke-width="3"/>
        <path d="M44 90l-4 8M50 92v6M56 90l4 8" stroke="{ink}" stroke-width="2"/>
    """,
    "mushroom": """
        <path d="M10 52c0-50 80-50 80 0 0 8-80 8-80 0z" fill="{a}"/>
        <path d="M38 57h24l4 28c0 10-32 10-32 0z" fill="{b}"/>
        <path d="M26 40c4-8 10-12 16-14" stroke="#fff" stroke-opacity=".5" stroke-width="5" fill="none"
            stroke-linecap="round"/>
    """,
    "onion": """
        <path d="M50 10c-2 16-6 18-16 24-26 16-20 56 16 56s42-40 16-56c-10-6-14-8-16-24z" fill="{a}"/>
        <path d="M44 34c-12 14-12 38 0 54M56 34c12 14 12 38 0 54" stroke="{b}" stroke-width="3" fill="none"/>
    """,
    "pepper": """
        <path d="M50 30c-8-8-34-8-34 18 0 26 12 44 22 44 6 0 6-6 12-6s6 6 12 6c10 0 22-18 22-44 0-26-26-26-34-18z"
            fill="{a}"/>
        <path d="M50 32c-6 16-6 36 0 52" stroke="{b}" stroke-width="4" fill="none"/>
        <path d="M26 44c-2 8-1 16 2 24" stroke="#fff" stroke-opacity=".6" stroke-width="5" fill="none"
            stroke-linecap="round"/>
        <path d="M36 28c4-8 8-8 11-8 0-6 1-10 6-14l6 4c-3 4-4 6-4 10 4 0 7 2 9 8-10 4-20 4-28 0z" fill="{leaf}"/>
    """,
    "tuber": """
        <path d="M14 60c-4-22 18-42 40-42s36 18 34 38-20 34-42 34-29-12-32-30z" fill="{a}"/>
        <g fill="{b}">
        <circle cx="38" cy="44" r="3"/>
        <circle cx="60" cy="38" r="3"/>
        <circle cx="70" cy="58" r="3"/>
        <circle cx="46" cy="66" r="3"/>
        <circle cx="30" cy="62" r="3"/>
        </g>
    """,
    "tomato": """
        <circle cx="50" cy="56" r="36" fill="{a}"/>
        <path d="M50 30l-6-8-14 2 8 8-8 10 14-2 6 10 6-10 14 2-8-10 8-8-14-2z" fill="{leaf}"/>
        <path d="M50 26V12" stroke="{leaf}" stroke-width="5" stroke-linecap="round"/>
        <path d="M24 56c0-6 2-11 5-15" stroke="#fff" stroke-opacity=".6" stroke-width="5" fill="none"
            stroke-linecap="round"/>
    """,
    "carton": """
        <path d="M30 8h40v8H30z" fill="{b}"/>
        <path d="M30 16h40l10 18H20z" fill="{a}" fill-opacity=".75"/>
        <rect x="20" y="34" width="60" height="60" rx="3" fill="#fbfaf5" stroke="{b}" stroke-width="2"/>
        <rect x="20" y="40" width="60" height="18" fill="{a}"/>
        <path d="M50 62c-8 10-10 13-10 17a10 10 0 0 0 20 0c0-4-2-7-10-17z" fill="{b}"/>
    """,
    "cup": """
        <path d="M18 26h64l-8 62c-1 6-47 6-48 0z" fill="#fbfaf5" stroke="{b}" stroke-width="2"/>
        <path d="M20 42h60l-4 28H24z" fill="{a}"/>
        <rect x="13" y="16" width="74" height="11" rx="5" fill="{b}"/>
        <circle cx="50" cy="56" r="9" fill="#fbfaf5"/>
    """,
    "packet": """
        <path d="M22 14h56l4 8-4 6v62H22V28l-4-6z" fill="{a}"/>
        <rect x="30" y="38" width="40" height="40" rx="6" fill="#fbfaf5"/>
        <text x="50" y="69" font-family="sans-serif" font-size="32" font-weight="700" text-anchor="middle"
            fill="{ink}">{letter}</text>
    """,
}

# group -> shape, main colour, second colour, third colour where the shape has one
GROUPS = {
    "apple": ("apple", "#d8433b", "#b12f2a"),
    "avocado": ("half", "#cfd98a", "#3f5b2d", "#7a4b2a"),
    "banana": ("banana", "#f4c93c", "#d9a520"),
    "kiwi": ("slice", "#94b83d", "#7a5a3a"),
    "lemon": ("lemon", "#f5d63d", "#d9b520"),
    "lime": ("lemon", "#7fb13c", "#5c8a2a"),
    "mango": ("stonefruit", "#eba13a", "#d6652f"),
    "melon": ("melon", "#d9c48a", "#b79b57"),
    "nectarine": ("stonefruit", "#d9542f", "#a93a22"),
    "orange": ("citrus", "#f08a24", "#c96a12"),
    "papaya": ("half", "#f2994a", "#d7b23a", "#3b3a36"),
    "passion-fruit": ("half", "#e8b93a", "#5b2f52", "#3b3a36"),
    "peach": ("stonefruit", "#f5a86b", "#de7350"),
    "pear": ("pear", "#b9c24a", "#95a032"),
    "pineapple": ("pineapple", "#e9b43a", "#b8842a"),
    "plum": ("stonefruit", "#6d3a78", "#4c2456"),
    "pomegranate": ("crowned", "#b8324a", "#8f2238"),
    "red-grapefruit": ("citrus", "#ee7f5c", "#c95a3c"),
    "satsumas": ("citrus", "#f59b2d", "#cf7714"),
    "juice": ("carton", "#f0932b", "#b8641a"),
    "milk": ("carton", "#4a8fd0", "#2a63a0"),
    "oatghurt": ("carton", "#c9ae7a", "#8a6f3c"),
    "oat-milk": ("carton", "#cdb583", "#7f6840"),
    "sour-cream": ("cup", "#8cc0de", "#2f6f96"),
    "sour-milk": ("carton", "#78a86b", "#466f3c"),
    "soyghurt": ("cup", "#b9a1d0", "#6a4a8c"),
    "soy-milk": ("carton", "#8dac5a", "#55722f"),
    "yoghurt": ("carton", "#d978a0", "#9c3d66"),
    "asparagus": ("spears", "#7fa650", "#4f7a2c"),
    "aubergine": ("aubergine", "#4d2a5c", "#351a42"),
    "cabbage": ("cabbage", "#a9cf7c", "#6e9d49"),
    "carrots": ("root", "#ee8130", "#bd5c16"),
    "cucumber": ("long", "#5a9a45", "#3d742d"),
    "garlic": ("garlic", "#f4efe4", "#b8a58c"),
    "ginger": ("ginger", "#d3ad72", "#9a7641"),
    "leek": ("leek", "#6ba04e", "#41702c"),
    "mushroom": ("mushroom", "#a9784f", "#e6d3bb"),
    "onion": ("onion", "#d99a45", "#a96e22"),
    "pepper": ("pepper", "#d63a31", "#a32822"),
    "potato": ("tuber", "#d1a95f", "#9c7838"),
    "red-beet": ("root", "#8e2a52", "#641a38"),
    "tomato": ("tomato", "#df4436", "#ad2d22"),
    "zucchini": ("long", "#3f7a3a", "#93bd68"),
}

# Where a sort looks unlike its group: a word of its name -> main and second colour.
SORTS = {
    "green": ("#5c9c3e", "#3d742d"),
    "granny": ("#8fbf45", "#6a9a2a"),
    "golden": ("#d9c84a", "#b5a22c"),
    "royal": ("#dd6a4a", "#b7482c"),
    "pink": ("#e0708a", "#b84a66"),
    "yellow": ("#f2c230", "#c9961a"),
    "orange": ("#f08a24", "#c0680f"),
    "apple": ("#8cb840", "#5f8a22"),
    "mandarin": ("#f5a02d", "#c87412"),
    "grapefruit": ("#ee7f5c", "#b94e30"),
    "vanilla": ("#f2d77a", "#b08a2a"),
    "strawberry": ("#e0566a", "#a82c42"),
    "blueberry": ("#6a6fc0", "#3c4190"),
    "natural": ("#9cc6e0", "#3c7ca4"),
    "lactose": ("#9a7cc8", "#63459a"),
    "ecological": ("#5fa85a", "#347a30"),
    "watermelon": ("#4f9a4a", "#2c6a2c"),
    "honeydew": ("#d6dfa0", "#a9b866"),
    "sweet": ("#c8704a", "#964a2a"),
    "kaiser": ("#b98a4a", "#8a6228"),
    "conference": ("#a5a84a", "#7a7c2c"),
}

# A sort's word colours only these groups: an orange is orange already, and "Golden" means nothing on a juice.
SORTED_GROUPS = frozenset(
    {"apple", "melon", "pear", "juice", "milk", "soyghurt", "yoghurt", "pepper", "potato", "sour-cream"}
)


def picture_svg(name: str, catalog: Catalog) -> str | None:
    """Return the picture of this name, or None where nothing goes by it.

    name  a product's id, or a label or group in small letters, as in `Suggestion.picture` and `Option.picture`
    """
    product = catalog.product(name) or _of_label_or_group(name, catalog)
    return product_svg(product) if product else None


def product_svg(product: Product) -> str:
    """Return the SVG document that stands for this product."""
    shape, *colours = GROUPS.get(_slug(product.group), ("packet", _colour(product.group or product.id)))
    if _slug(product.group) in SORTED_GROUPS:
        colours[:2] = _sort_colours(product) or colours[:2]
    names = dict(zip("abc", colours, strict=False))
    drawn = " ".join(SHAPES[shape].split()).format(ink=INK, leaf=LEAF, letter=escape(product.name[:1].upper()), **names)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" width="100" height="100">{drawn}</svg>'


def _sort_colours(product: Product) -> tuple[str, str] | None:
    words = _slug(product.label or product.name).split("-")
    # The last word that names a sort decides: "Orange-Red-Grapefruit" is a grapefruit juice.
    return next((SORTS[word] for word in reversed(words) if word in SORTS), None)


def _of_label_or_group(name: str, catalog: Catalog) -> Product | None:
    groups = (product for product in catalog.products if _slug(product.group) == name != "")
    labels = (product for product in catalog.products if _slug(product.label) == name != "")
    return next(labels, None) or next(groups, None)


def _slug(text: str) -> str:
    return "-".join(text.casefold().split())


def _colour(text: str) -> str:
    """Return a quiet colour that is always the same for this text."""
    hue = binascii.crc32(text.encode()) % 360
    return f"hsl({hue} 45% 58%)"
