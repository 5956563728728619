"""Made-up protected values, look-alikes that are none, and clean AWS traffic.

Everything follows from a seed, so that a figure can be had again. Positives are
(body, value): the value must not be in the masked body. Negatives are bodies that
must come out as they went in.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from random import Random

WORDS = [
    "customer",
    "order",
    "pending",
    "region",
    "balance",
    "status",
    "active",
    "invoice",
    "shipped",
    "note",
    "total",
    "request",
    "updated",
    "table",
    "queue",
    "bucket",
    "stream",
    "event",
    "record",
    "message",
    "value",
]
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")


def digits(random: Random, count: int, first: str = "0123456789") -> str:
    return random.choice(first) + "".join(random.choices("0123456789", k=count - 1))


def text(random: Random, count: int = 6) -> str:
    return " ".join(random.choices(WORDS, k=count))


def luhn_digit(number: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 - place % 2)
        total += value - 9 * (value > 9)
    return str(-total % 10)


# --- values -------------------------------------------------------------------------

BRANDS = (
    ("4", 16), ("4", 16), ("4", 13), ("4", 19), ("51", 16), ("55", 16), ("2221", 16),
    ("2720", 16), ("2500", 16), ("34", 15), ("37", 15), ("6011", 16), ("644", 16),
    ("65", 19), ("3528", 16), ("3589", 16), ("300", 14), ("36", 14), ("38", 16),
    ("62", 16), ("6221", 17),
)  # fmt: skip


def card(random: Random) -> str:
    prefix, size = random.choice(BRANDS)
    body = prefix + digits(random, size - 1 - len(prefix))
    return body + luhn_digit(body)


def grouped(number: str, separator: str) -> str:
    sizes = {14: (4, 6, 4), 15: (4, 6, 5), 16: (4, 4, 4, 4), 19: (4, 4, 4, 4, 3)}
    if len(number) not in sizes:
        return number
    parts, at = [], 0
    for size in sizes[len(number)]:
        parts.append(number[at : at + size])
        at += size
    return separator.join(parts)


def pan(random: Random) -> str:
    number = card(random)
    return random.choice((number, grouped(number, " "), grouped(number, "-")))


def ssn_digits(random: Random) -> str:
    area = random.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03}{random.randrange(1, 100):02}{random.randrange(1, 10_000):04}"


def dashed(nine: str, separator: str = "-") -> str:
    return separator.join((nine[:3], nine[3:5], nine[5:]))


def itin_digits(random: Random) -> str:
    group = random.choice([*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)])
    return f"9{digits(random, 2)}{group}{digits(random, 4)}"


def ein_digits(random: Random) -> str:
    prefix = random.choice(
        (1, 6, 10, 16, 20, 27, 30, 48, 50, 68, 71, 77, 80, 88, 90, 95, 98, 99)
    )
    return f"{prefix:02}{digits(random, 7)}"


def aba_digits(random: Random) -> str:
    prefix = random.choice((1, 2, 6, 11, 12, 21, 32, 61, 72, 80))
    body = f"{prefix:02}{digits(random, 6)}"
    weights = (3, 7, 1, 3, 7, 1, 3, 7)
    total = sum(int(d) * w for d, w in zip(body, weights, strict=True))
    return body + str(-total % 10)


IBAN_FORMS = {"DE": "18n", "GB": "4a14n", "FR": "23n", "NL": "4a10n", "ES": "20n", "NO": "11n",
              "BE": "12n", "IT": "1a22n", "CH": "17n", "PL": "24n"}  # fmt: skip


def iban(random: Random) -> str:
    country = random.choice(list(IBAN_FORMS))
    body, count = "", ""
    for c in IBAN_FORMS[country]:
        if c.isdigit():
            count += c
        else:
            letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c == "a" else "0123456789"
            body += "".join(random.choices(letters, k=int(count)))
            count = ""
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    whole = f"{country}{98 - number % 97:02}{body}"
    if random.random() < 0.5:
        return whole
    return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))


def phone(random: Random) -> str:
    area = f"{random.randrange(2, 10)}{random.randrange(0, 9)}{random.randrange(2, 10)}"
    exchange = (
        f"{random.randrange(2, 10)}{random.randrange(2, 10)}{random.randrange(0, 10)}"
    )
    line = digits(random, 4)
    return random.choice((
        f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"+1 {area} {exchange} {line}",
        f"+1{area}{exchange}{line}", f"{area}.{exchange}.{line}", f"1-{area}-{exchange}-{line}",
        f"+44 20 {digits(random, 4, '78')} {digits(random, 4)}", f"+49{digits(random, 10, '123')}",
        f"({area}){exchange}-{line}", f"+33 1 {digits(random, 2)} {digits(random, 2)} {digits(random, 2)} {digits(random, 2)}",
    ))  # fmt: skip


def email(random: Random) -> str:
    name = random.choice(
        ("bob", "alice.smith", "j_doe", "o'hara", "x+tag", "a-b.c", "ann99")
    )
    host = random.choice(("example", "mail.example", "sub-domain.corp", "bank1"))
    tld = random.choice(("com", "org", "co.uk", "io", "museum", "bank"))
    return f"{name}{random.randrange(1000)}@{host}.{tld}"


BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
URLSAFE = BASE64[:-2] + "-_"


def run(random: Random, alphabet: str, count: int) -> str:
    return "".join(random.choices(alphabet, k=count))


def aws_key(random: Random) -> str:
    return random.choice(("AKIA", "ASIA", "ABIA", "ACCA")) + run(random, BASE32, 16)


def part(random: Random, tree: dict[str, object]) -> str:
    tree["n"] = random.getrandbits(80)
    return base64.urlsafe_b64encode(json.dumps(tree).encode()).decode().rstrip("=")


def jwt(random: Random) -> str:
    signature = run(random, URLSAFE, random.choice((43, 86, 342)))
    return f"{part(random, {'alg': 'RS256'})}.{part(random, {'sub': '1'})}.{signature}"


def private_key(random: Random) -> str:
    kind = random.choice(("RSA ", "EC ", "", "ENCRYPTED ", "OPENSSH "))
    lines = "\n".join(run(random, BASE64, 64) for _ in range(random.randrange(3, 26)))
    return (
        f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"
    )


def api_token(random: Random) -> str:
    letters = BASE64[:-2]
    return random.choice((
        "ghp_" + run(random, letters, 36), "github_pat_" + run(random, letters + "_", 82),
        "glpat-" + run(random, URLSAFE, 20), "npm_" + run(random, letters, 36),
        "xoxb-" + digits(random, 12) + "-" + run(random, letters, 24),
        "sk_live_" + run(random, letters, 24), "rk_test_" + run(random, letters, 30),
        "AIza" + run(random, URLSAFE, 35), "hf_" + run(random, letters, 34),
        "dop_v1_" + run(random, "0123456789abcdef", 64), "dapi" + run(random, "0123456789abcdef", 32),
        "sk-ant-" + run(random, URLSAFE, 90), "sk-proj-" + run(random, URLSAFE, 60),
        "access-production-" + str(uuid.UUID(int=random.getrandbits(128))),
        "ABSK" + run(random, BASE64, 128), "SG." + run(random, URLSAFE, 22) + "." + run(random, URLSAFE, 43),
    ))  # fmt: skip


def track(random: Random) -> str:
    number = card(random)
    return random.choice((
        f"%B{number}^DOE/JANE^2912101{digits(random, 8)}?", f";{number}=2912101{digits(random, 8)}?",
    ))  # fmt: skip


def birth_date(random: Random) -> str:
    year, month, day = (
        random.randrange(1920, 2020),
        random.randrange(1, 13),
        random.randrange(1, 29),
    )
    name = ("Jan", "Feb", "March", "Apr", "May", "June", "Jul", "August", "Sep", "Oct", "Nov",
            "December")[month - 1]  # fmt: skip
    return random.choice((
        f"{year}-{month:02}-{day:02}", f"{month:02}/{day:02}/{year}", f"{day}.{month}.{year}",
        f"{name} {day}, {year}", f"{day} {name} {year}", f"{year}{month:02}{day:02}",
    ))  # fmt: skip


# --- where values stand -------------------------------------------------------------


def in_text(random: Random, value: str) -> str:
    return random.choice((
        f"{text(random)} {value} {text(random)}", f"{text(random)}: {value}", value,
        f"{text(random, 2)} ({value}), {text(random, 3)}", f'[{text(random, 1)}="{value}"]',
        f"{text(random, 3)} {value}. {text(random, 2).title()}", f"{text(random, 2)}={value};x",
        f"{text(random, 2)}\n{value}\n{text(random, 2)}", f"{text(random, 1)},{value},{text(random, 1)}",
    ))  # fmt: skip


def in_json(random: Random, value: str) -> str:
    tree = random.choice((
        {"id": 1, "note": value}, {"Item": {"x": {"S": f"{text(random, 2)} {value}"}}}, [value],
        {"a": {"b": [{"c": value}]}}, {"nested": json.dumps({"q": f"{value} ok"})},
    ))  # fmt: skip
    return json.dumps(tree, ensure_ascii=random.random() < 0.5)


Made = tuple[str, bytes, bytes]
"""Format (``text`` or ``json``), body, value."""


def plainly(make: Callable[[Random], str]) -> Callable[[Random], Made]:
    """Values that are known by their form alone."""

    def made(random: Random) -> Made:
        value = make(random)
        if random.random() < 0.5:
            return "text", in_text(random, value).encode(), value.encode()
        return "json", in_json(random, value).encode(), json.dumps(value)[1:-1].encode()

    return made


def named(
    make: Callable[[Random], str], members: str, phrases: str
) -> Callable[[Random], Made]:
    """Values that a member's name or a word before them names."""
    member_names, words = members.split(), [one.strip() for one in phrases.split(",")]

    def made(random: Random) -> Made:
        value = make(random)
        if random.random() < 0.5:
            gap = random.choice((": ", " ", "=", " : ", '="'))
            body = f"{text(random, 3)} {random.choice(words)}{gap}{value}"
            return (
                "text",
                (body + random.choice(("", ", ok", '" x', "\n"))).encode(),
                value.encode(),
            )
        name = random.choice(member_names)
        tree = random.choice((
            {name: value}, {"Item": {name: {"S": value}}}, {"a": [{name.upper(): value}]},
            {"UserAttributes": [{"Name": name, "Value": value}]}, {"x": json.dumps({name: value})},
        ))  # fmt: skip
        return "json", json.dumps(tree).encode(), value.encode()

    return made


def either(*makers: Callable[[Random], Made]) -> Callable[[Random], Made]:
    return lambda random: random.choice(makers)(random)


POSITIVES: dict[str, Callable[[Random], Made]] = {
    "pan": plainly(pan),
    "track": plainly(track),
    "cvv": named(lambda r: digits(r, r.choice((3, 4))), "cvv cvc card_security_code cvv2", "CVV, cvc2, security code"),
    "ssn": either(
        plainly(lambda r: dashed(ssn_digits(r), r.choice("--- "))),
        named(ssn_digits, "ssn social_security_number", "SSN, ssn, social security number, Social Security no."),
    ),
    "itin": either(
        plainly(lambda r: dashed(itin_digits(r), r.choice("- "))), named(itin_digits, "itin", "ITIN, itin number")
    ),
    "ein": either(
        plainly(lambda r: (n := ein_digits(r))[:2] + "-" + n[2:]), named(ein_digits, "ein tax_id", "EIN, FEIN, tax id")
    ),
    "aba": named(aba_digits, "routing_number aba", "routing number, ABA, routing no., RTN"),
    "iban": plainly(iban),
    "account": named(
        lambda r: digits(r, r.randrange(6, 18), "123456789"), "account_number acctNo bank_account",
        "account number, acct no., account #, Acct. No",
    ),
    "dob": named(birth_date, "dob date_of_birth birthDate", "DOB, date of birth, born on, Birth date, born"),
    "phone": either(
        plainly(phone),
        named(lambda r: "212555" + digits(r, 4), "phone mobile_number", "phone, tel, mobile, Fax number"),
    ),
    "email": plainly(email),
    "driver-licence": named(
        lambda r: r.choice("ABDSW") + digits(r, r.choice((7, 8, 12))), "drivers_license driver_license_number",
        "driver's license, drivers license no., driver license number",
    ),
    "aws-key": either(
        plainly(aws_key),
        named(lambda r: run(r, BASE64, 40), "SecretAccessKey aws_secret_access_key",
              "aws_secret_access_key, secret access key, SecretKey"),
        named(lambda r: run(r, BASE64, 300), "SessionToken aws_session_token", "aws_session_token, session token"),
    ),
    "private-key": plainly(private_key),
    "jwt": plainly(jwt),
    "api-token": plainly(api_token),
}  # fmt: skip


# --- look-alikes --------------------------------------------------------------------


def identifier(random: Random) -> str:
    """An identifier of AWS's or of software, hard for detectors of digits."""
    number, region = random.getrandbits(128), random.choice(REGIONS)
    account = digits(random, 12, "123456789")
    return random.choice((
        str(1_600_000_000 + random.randrange(10**8)), str(1_600_000_000_000 + random.randrange(10**11)),
        str(1_600_000_000_000_000 + random.randrange(10**14)), f"16{digits(random, 8)}.{digits(random, 3)}",
        f"arn:aws:iam::{account}:role/app-{digits(random, 4)}", account, str(uuid.UUID(int=number)),
        f"arn:aws:sns:{region}:{account}:topic-{digits(random, 3)}", f'"{number:032x}"', f"{number:040x}"[:40],
        f'"{number:032x}-{random.randrange(1, 99)}"', f"{random.randrange(30)}.{random.randrange(99)}.{digits(random, 4)}",
        f"2026-{random.randrange(1, 13):02}-{random.randrange(1, 29):02}T10:11:12.{digits(random, 3)}Z",
        f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}",
        f"i-{number:017x}"[:19], f"vpc-{number:08x}"[:12], f"ami-{number:017x}"[:21],
        f"{digits(random, 5)}-{digits(random, 4)}", f"v1.{digits(random, 2)}.{digits(random, 4)}",
        base64.b64encode(number.to_bytes(16, "big")).decode(), f"sha256:{number:064x}",
        f"AROA{run(random, BASE32, 17)}", f"logo-{digits(random, 2)}@2x.png",
        f"{digits(random, 3)} {digits(random, 3)} {digits(random, 2)} {digits(random, 4)} {digits(random, 3)}",
        f"s3://bucket-{account}/{digits(random, 8)}/part-{digits(random, 5)}.parquet",
        f"1-{number:08x}-{number:024x}"[:35], f"{random.random() * 1000:.12f}", f"{number % 10**38}",
        f"user@localhost:{digits(random, 4)}", f"@scope/package@{random.randrange(9)}.{random.randrange(9)}.1",
        f"2026/11/23/[$LATEST]{number:032x}", f"0x{number:016x}", f"{digits(random, 2)}:{digits(random, 2)}:{digits(random, 2)}",
    ))  # fmt: skip


def wrong_card(random: Random) -> str:
    number = card(random)
    return random.choice((
        number[:-1] + str((int(number[-1]) + random.randrange(1, 10)) % 10), "0" * 16,
        f"9{number[1:]}", f"1{number[1:]}", number + digits(random, 5), f"x{number}", f"{number}_1",
        f"{number}a", f"0.{number}", f"{number}.5", f"{number[:8]} {number[8:]}", f"7{digits(random, 15)}",
    ))  # fmt: skip


def wrong_ssn(random: Random) -> str:
    nine = ssn_digits(random)
    return random.choice((
        dashed("000" + nine[3:]), dashed("666" + nine[3:]), dashed("9" + nine[1:3] + "49" + nine[5:]),
        dashed(nine[:3] + "00" + nine[5:]), dashed(nine[:5] + "0000"), nine, "078-05-1120",
        f"1{dashed(nine)}", f"{dashed(nine)}0", f"{dashed(nine)}-1", f"9-{dashed(nine)}", dashed(nine, "."),
        f"{nine[:3]}-{nine[3:5]} {nine[5:]}", f"{nine[:5]}-{nine[5:]}", f"5 {dashed(nine, ' ')}", f"{nine[:2]}-{nine[2:4]}-{nine[4:8]}",
    ))  # fmt: skip


def mangled(make: Callable[[Random], str]) -> Callable[[Random], str]:
    """A value with its check digits wrong, or glued to letters and digits."""

    def made(random: Random) -> str:
        value = make(random)
        last = value[-1]
        other = str((int(last) + 1) % 10) if last.isdigit() else "0"
        return (
            random.choice((value[:-1] + other, f"x{value}", f"{value}y9"))
            if value
            else value
        )

    return made


def wrong_iban(random: Random) -> str:
    value = iban(random).replace(" ", "")
    return random.choice((
        value[:-1] + str((int(value[-1]) + 1) % 10), "XX" + value[2:], value[:-1], value.lower(), f"A{value}",
        f"{value}1",
    ))  # fmt: skip


NEGATIVES: dict[str, Callable[[Random], str]] = {
    "pan": wrong_card,
    "track": lambda r: r.choice((f"%B{wrong_card(r)}^A^", f";{digits(r, 16)}=", f"%B{card(r)}", f";{card(r)};", "%Bx^y^z?")),
    "cvv": lambda r: r.choice((f"cvv: {digits(r, 6)}", f"{digits(r, 3)}", "cvv: abc", f"code {digits(r, 3)}", f"cvv{digits(r, 3)}")),
    "ssn": wrong_ssn,
    "itin": lambda r: r.choice((dashed("9" + digits(r, 2) + r.choice(("49", "66", "69", "89", "93")) + digits(r, 4)), dashed("8" + itin_digits(r)[1:]), itin_digits(r))),
    "ein": lambda r: r.choice((f"{r.choice(('00', '07', '19', '28', '49', '69', '78', '89', '96'))}-{digits(r, 7)}", ein_digits(r), f"{digits(r, 3)}-{digits(r, 7)}", f"{digits(r, 2)}-{digits(r, 8)}")),
    "aba": lambda r: r.choice((aba_digits(r), f"routing number: {digits(r, 8)}", f"aba: 99{digits(r, 7)}", "routing number: 000000000", f"routing key {aba_digits(r)}x")),
    "iban": wrong_iban,
    "account": lambda r: r.choice((f"account {digits(r, 12)}", f"account id: {digits(r, 12)}", f"acct: x{digits(r, 3)}", digits(r, 10), f"account number: n/a {digits(r, 8)}", f'{{"AccountId": "{digits(r, 12)}"}}')),
    "dob": lambda r: r.choice((birth_date(r), f"created {birth_date(r)}", f"dob: {digits(r, 4)}", "born to run", f"dob: 99/99/{digits(r, 4)}", f"Date: {birth_date(r)}")),
    "phone": lambda r: r.choice((f"{digits(r, 3, '01')}-{digits(r, 3)}-{digits(r, 4)}", f"211-{digits(r, 3)}-{digits(r, 4)}", digits(r, 10), f"+{digits(r, 5, '123')}", f"+0{digits(r, 10)}", f"5-{digits(r, 3, '2')}-555-{digits(r, 4)}9", f"{digits(r, 3)}-{digits(r, 4)}")),
    "email": lambda r: r.choice(("a@b", "@example.com", "user@", "x @ y.com", "npm@1.2.3", "icon@2x.png", "git@ github.com", "a@b..com", "user@10.0.0.1")),
    "driver-licence": lambda r: r.choice((f"driver license: {text(r, 1)}", "driver license renewal", f"license {digits(r, 8)}", f"driver {digits(r, 8)}", "Apache License 2.0")),
    "aws-key": lambda r: r.choice((f"AROA{run(r, BASE32, 17)}", f"AIDA{run(r, BASE32, 17)}", f"AKIA{run(r, BASE32, 15)}", f"AKIA{run(r, BASE32, 17)}", f"xAKIA{run(r, BASE32, 16)}", run(r, BASE64, 40), f"secret: {run(r, BASE64, 40)}", f"{r.getrandbits(160):040x}")),
    "private-key": lambda r: r.choice(("-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY-----", "BEGIN PRIVATE KEY", "-----END PRIVATE KEY-----", "--BEGIN PRIVATE KEY--")),
    "jwt": lambda r: r.choice((part(r, {"v": 1}), f"{part(r, {'v': 1})}.x", f"eyJ.{run(r, URLSAFE, 30)}", f"{part(r, {'v': 1})}.{run(r, URLSAFE[:20], 30)}.x", f"x{jwt(r)}")),
    "api-token": lambda r: r.choice((f"ghp_{run(r, BASE64[:-2], 20)}", f"ghx_{run(r, BASE64[:-2], 36)}", "sk_live_x", f"xoxz-{digits(r, 12)}", f"AIzb{run(r, URLSAFE, 35)}", f"dapi{run(r, 'ghij', 32)}", "access-production-key", f"npm_{run(r, BASE64[:-2], 12)}")),
}  # fmt: skip


def corpus(
    name: str, count: int, seed: int = 1
) -> tuple[list[Made], list[tuple[str, bytes]]]:
    """Positives, and hard negatives: near misses of the kind and look-alikes."""
    random = Random(f"{name}/{seed}")
    positives = [POSITIVES[name](random) for _ in range(count)]
    negatives = []
    for place in range(count):
        value = NEGATIVES[name](random) if place % 2 else identifier(random)
        form = "json" if random.random() < 0.5 else "text"
        body = in_json(random, value) if form == "json" else in_text(random, value)
        negatives.append((form, body.encode()))
    return positives, negatives


# --- traffic ------------------------------------------------------------------------


def clean_traffic(size: int, seed: int = 1) -> Iterator[bytes]:
    """About `size` bytes of AWS answers that hold no protected value, as JSON texts."""
    random = Random(f"traffic/{seed}")
    while size > 0:
        items = [
            {
                "Id": {"S": identifier(random)},
                "CreatedAt": {"N": str(1_600_000_000_000 + random.randrange(10**11))},
                "Arn": {"S": f"arn:aws:dynamodb:{random.choice(REGIONS)}:{digits(random, 12, '123456789')}:table/t"},
                "Note": {"S": f"{text(random, 8)} {identifier(random)}"},
                "Tags": {"L": [{"S": identifier(random)} for _ in range(3)]},
                "Log": {"S": f"{identifier(random)} {identifier(random)} 200 {random.randrange(10**6)} {random.randrange(500)}"},
                "Hash": {"S": f"{random.getrandbits(256):064x}"},
                "Blob": {"S": base64.b64encode(random.randbytes(60)).decode()},
                "Version": {"N": str(random.randrange(10**6))},
            }
            for _ in range(40)
        ]  # fmt: skip
        page = json.dumps({"Items": items, "Count": 40, "ScannedCount": 40}).encode()
        size -= len(page)
        yield page
