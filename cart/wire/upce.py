"""UPC-E: a UPC-A with zeros left out, in eight digits (GS1 General Specifications, section 5.2.2.4).

Only numbers that begin with 0 may be shortened so. Bars that say 1 are the left half of an EAN-13: its parities are
those of a UPC-E of number system 1 with the EAN's first digit as check digit, and every tenth such number is valid.
"""


def upce_to_upca(code: str) -> str:
    """Return the 12 digits that an 8-digit UPC-E stands for, its check digit unchanged; "" if it is none."""
    if len(code) != 8 or not (code.isascii() and code.isdigit()) or code[0] != "0":
        return ""
    six, last = code[1:7], code[6]
    if last in "012":
        body = six[:2] + last + "0000" + six[2:5]
    elif last == "3":
        body = six[:3] + "00000" + six[3:5]
    elif last == "4":
        body = six[:4] + "00000" + six[4]
    else:
        body = six[:5] + "0000" + last
    return code[0] + body + code[7]


def upca_to_upce(code: str) -> str:
    """Return the 8-digit UPC-E of a 12-digit UPC-A, or "" where its zeros cannot be suppressed."""
    if len(code) != 12 or not (code.isascii() and code.isdigit()) or code[0] != "0":
        return ""
    maker, item = code[1:6], code[6:11]
    if maker[2:] in ("000", "100", "200") and item[:2] == "00":
        six = maker[:2] + item[2:] + maker[2]
    elif maker[3:] == "00" and item[:3] == "000":
        six = maker[:3] + item[3:] + "3"
    elif maker[4] == "0" and item[:4] == "0000":
        six = maker[:4] + item[4] + "4"
    elif item[:4] == "0000" and item[4] >= "5":
        six = maker + item[4]
    else:
        return ""
    return code[0] + six + code[11]
