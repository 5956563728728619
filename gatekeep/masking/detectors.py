"""The built-in detectors: what protected values look like, and what names them.

A detector has patterns, each with a check of `gatekeep._fast.checks` that decides
what a match is worth. A pattern is a cheap trigger of bounded width: the check
walks to the value's real end and validates it. A weak form (nine bare digits, a
date) counts only next to a word that names it, or as the whole value of a member
with a telling name.

Sources: ISO/IEC 7812 and 7813 (cards), the card brands' number ranges, SSA, IRS and
ABA rules for their numbers, the ISO 13616 registry (IBAN), NANPA and ITU-T E.164
(phones), RFC 5321 (e-mail), RFC 7468 and 7519 (keys, JWT), vendors' token formats.
"""

from __future__ import annotations

from dataclasses import dataclass

GAP = r"(?:\W{1,6}|\W{2,5}[SN]\W{2,6})"
"""Between a naming word and its value: ``: ``, ``": "``, DynamoDB's ``": {"S": "``."""

NUMBER_WORD = r"(?:[ ._-]{0,2}(?:no|nr|num(?:ber)?|#)\.?)"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A trigger and the check of what it found."""

    expression: str
    """In Hyperscan's syntax, over bytes; bounded width, no anchors."""
    check: str
    """Name of a check; see `gatekeep._fast.checks.checks`."""
    width: int
    """Bytes before the match's end at which the check begins to look."""
    caseless: bool = False
    back: int = 0
    """Bytes before those at which the value may begin."""


@dataclass(frozen=True, slots=True)
class Named:
    """Members whose whole value is protected when a check says so."""

    names: frozenset[bytes]
    """Folded by `fold`."""
    check: str


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of protected value."""

    name: str
    patterns: tuple[Pattern, ...] = ()
    reach: int = 64
    """The most bytes of a value beyond the pattern's match."""
    named: tuple[Named, ...] = ()


def fold(name: bytes) -> bytes:
    """A member's name as names are compared: lower case, no ``_ - .`` or space."""
    return name.lower().translate(None, b"_-. ")


def _named(check: str, names: str) -> tuple[Named, ...]:
    return (Named(frozenset(fold(one.encode()) for one in names.split()), check),)


DETECTORS: dict[str, Detector] = {
    one.name: one
    for one in (
        Detector(
            "pan",
            (
                Pattern(r"\b[2-6]\d{12}", "pan-run", 13),
                Pattern(r"\b[2-6]\d{3}[ .-]\d{4}[ .-]\d{4}", "pan-444", 14),
                Pattern(r"\b3\d{3}[ .-]\d{6}[ .-]\d{4}", "pan-46", 16),
                Pattern(r"\b[2-6]\.\d{12}", "pan-exponent", 14),
            ),
        ),
        Detector(
            "track",
            (
                Pattern(r"%[Bb]\d{13}", "track-1", 15),
                Pattern(r";\d{13}", "track-2", 14),
            ),
            reach=96,
        ),
        Detector(
            "cvv",
            (
                Pattern(
                    rf"\b(?:cvv2?|cvc2?|(?:card )?security code){GAP}\d{{3}}",
                    "named-verification",
                    3,
                    caseless=True,
                ),
            ),
            named=_named(
                "named-verification",
                "cvv cvv2 cvc cvc2 cardsecuritycode securitycode card_cvv cardcvc"
                " cvvcode cvccode pin_number cardpin card_pin atm_pin",
            ),
        ),
        Detector(
            "ssn",
            (
                Pattern(r"\b\d{3}[ -]\d{2}[ -]\d{4}", "ssn", 11),
                Pattern(
                    rf"\b(?:ssn|ss#|soc(?:ial)?[ .]?sec(?:urity)?{NUMBER_WORD}?)"
                    rf"{GAP}\d{{9}}",
                    "named-ssn",
                    9,
                    caseless=True,
                ),
            ),
            named=_named(
                "named-ssn",
                "ssn ssn_number ssnumber social_security social_security_number"
                " social_security_no socialsecuritynum socsec taxpayer_id customer_ssn"
                " applicant_ssn borrower_ssn member_ssn",
            ),
        ),
        Detector(
            "itin",
            (
                Pattern(r"\b9\d{2}[ -]\d{2}[ -]\d{4}", "itin", 11),
                Pattern(
                    rf"\bitin{NUMBER_WORD}?{GAP}9\d{{8}}",
                    "named-itin",
                    9,
                    caseless=True,
                ),
            ),
            named=_named(
                "named-itin", "itin itin_number ssn tax_id taxpayer_id tin tin_number"
            ),
        ),
        Detector(
            "ein",
            (
                Pattern(r"\b\d{2}-\d{7}", "ein", 10),
                Pattern(
                    rf"\b(?:f?ein|tax[ _]?id){NUMBER_WORD}?{GAP}\d{{9}}",
                    "named-ein",
                    9,
                    caseless=True,
                ),
            ),
            named=_named(
                "named-ein",
                "ein fein ein_number employer_identification_number employer_id_number"
                " federal_tax_id tax_id tax_id_number tin tin_number",
            ),
        ),
        Detector(
            "aba",
            (
                Pattern(
                    rf"\b(?:aba|rtn|routing(?:[ _-]?transit)?|transit){NUMBER_WORD}?"
                    rf"{GAP}\d{{9}}",
                    "named-aba",
                    9,
                    caseless=True,
                ),
            ),
            named=_named(
                "named-aba",
                "aba aba_number aba_routing aba_routing_number routing routing_number"
                " routing_no routing_num rtn rtn_number routing_transit_number"
                " transit_number bank_routing_number ach_routing",
            ),
        ),
        Detector(
            "iban",
            (
                Pattern(r"\b[A-Z]{2}\d{2}[A-Z0-9]{8}", "iban-run", 12),
                Pattern(r"\b[A-Z]{2}\d{2} [A-Z0-9]{4} [A-Z0-9]{4}", "iban-spaced", 14),
            ),
        ),
        Detector(
            "account",
            (
                Pattern(
                    rf"\b(?:acc(?:oun)?t|loan){NUMBER_WORD}{GAP}\d{{4}}",
                    "named-account",
                    4,
                    caseless=True,
                ),
            ),
            named=_named(
                "named-account",
                "account_number account_no account_num acct acct_number acct_no acct_num"
                " bank_account bank_account_number bank_account_no checking_account"
                " savings_account deposit_account loan_number loan_account"
                " loan_account_number card_account member_account beneficiary_account"
                " from_account to_account",
            ),
        ),
        Detector(
            "dob",
            (
                Pattern(
                    rf"\b(?:dob|d\.o\.b\.?|birth[ _]?da(?:te|y)|date[ _]of[ _]birth"
                    rf"|born(?: on)?){GAP}(?:\d|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
                    "named-date",
                    1,
                    caseless=True,
                ),
            ),
            named=_named(
                "named-date",
                "dob date_of_birth birth_date birthday birthdate born_on born dateofbirth"
                " customer_dob patient_dob birth_dt",
            ),
        ),
        Detector(
            "phone",
            (
                Pattern(r"\b\d{3}[ .-]\d{3}[ .-]\d{4}", "phone-american", 12),
                Pattern(r"\(\d{3}\)\d{3}[ .-]\d{4}", "phone-american", 13),
                Pattern(r"\(\d{3}\) \d{3}[ .-]\d{4}", "phone-american", 14),
                Pattern(r"\+[1-9]\d{7}", "phone-international", 9),
                Pattern(r"\+[1-9]\d{0,2}[ .(-]{1,2}\d", "phone-international", 4),
                Pattern(
                    rf"\b(?:(?:tele)?phone|tel|mobile|cell|fax){NUMBER_WORD}?{GAP}\d{{10}}",
                    "named-phone",
                    10,
                    caseless=True,
                ),
            ),
            named=_named(
                "named-phone",
                "phone phone_number phone_no phonenum telephone telephone_number tel"
                " mobile mobile_number mobile_phone cell cell_phone home_phone work_phone"
                " fax fax_number contact_phone primary_phone secondary_phone",
            ),
        ),
        Detector(
            "email",
            (
                Pattern(
                    r"[A-Za-z0-9_%+'.\x80-\xff-]@[A-Za-z0-9\x80-\xff]",
                    "email",
                    3,
                    back=64,
                ),
                Pattern(r"[A-Za-z0-9_]%40[A-Za-z0-9]", "email-coded", 5, back=64),
            ),
            reach=260,
        ),
        Detector(
            "driver-licence",
            (
                Pattern(
                    rf"\bdriver'?s?'?[ _]?licen[cs]e{NUMBER_WORD}?{GAP}(?:is )?[A-Z0-9]{{4}}",
                    "named-licence",
                    4,
                    caseless=True,
                ),
            ),
            named=_named(
                "named-licence",
                "driver_license driver_licence drivers_license drivers_licence"
                " driver_license_number drivers_license_number driver_licence_number"
                " dl_number dl_no driver_license_no license_number drivers_license_no",
            ),
        ),
        Detector(
            "aws-key",
            (
                Pattern(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}", "aws-key", 20),
                Pattern(r"\bA3T[A-Z0-9]{17}", "aws-key", 20),
                Pattern(
                    rf"secret[ _-]?(?:access[ _-]?)?key{GAP}[A-Za-z0-9/+]{{40}}",
                    "named-secret",
                    40,
                    caseless=True,
                ),
                Pattern(
                    rf"(?:session|security)[ _-]?token{GAP}[A-Za-z0-9/+]{{16}}",
                    "named-session",
                    16,
                    caseless=True,
                ),
            ),
            reach=4096 + 16,
            named=_named(
                "named-secret",
                "secret_access_key aws_secret_access_key secret_key aws_secret_key",
            )
            + _named(
                "named-session",
                "session_token aws_session_token security_token aws_security_token",
            ),
        ),
        Detector(
            "private-key",
            (
                Pattern(
                    r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY", "private-key", 12, back=48
                ),
            ),
            reach=16384,
        ),
        Detector(
            "jwt",
            (Pattern(r"\beyJ[A-Za-z0-9_-]{8}", "jwt", 11),),
            reach=16384,
        ),
        Detector(
            "api-token",
            (
                # GitHub, GitLab, npm, PyPI
                Pattern(r"\bgh[pousr]_[A-Za-z0-9]{36}", "token", 40),
                Pattern(r"\bgithub_pat_[A-Za-z0-9_]{36}", "token", 47),
                Pattern(r"\bglpat-[A-Za-z0-9_-]{20}", "token", 26),
                Pattern(r"\bnpm_[A-Za-z0-9]{36}", "token", 40),
                Pattern(r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{30}", "token", 50),
                # Slack
                Pattern(r"\bxox[abeoprs]-[A-Za-z0-9-]{10}", "token", 15),
                Pattern(r"\bhooks\.slack\.com/services/T[A-Z0-9]{8}", "token", 34),
                # Stripe, Square, Plaid
                Pattern(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16}", "token", 24),
                Pattern(r"\bsq0[ac][ts]p-[A-Za-z0-9_-]{22}", "token", 29),
                Pattern(r"\baccess-sandbox-[0-9a-f]{8}-[0-9a-f]{4}-", "token", 29),
                Pattern(r"\baccess-development-[0-9a-f]{8}-[0-9a-f]{4}-", "token", 33),
                Pattern(r"\baccess-production-[0-9a-f]{8}-[0-9a-f]{4}-", "token", 32),
                # Google, SendGrid, Hugging Face, DigitalOcean, Databricks
                Pattern(r"\bAIza[A-Za-z0-9_-]{35}", "token", 39),
                Pattern(r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", "token", 69),
                Pattern(r"\bhf_[A-Za-z0-9]{34}", "token", 37),
                Pattern(r"\bdo[opr]_v1_[0-9a-f]{64}", "token", 71),
                Pattern(r"\bdapi[0-9a-f]{32}", "token", 36),
                # OpenAI, Anthropic, Bedrock
                Pattern(r"\bsk-proj-[A-Za-z0-9_-]{20}", "token", 28),
                Pattern(r"\bsk-svcacct-[A-Za-z0-9_-]{20}", "token", 31),
                Pattern(r"\bsk-ant-[A-Za-z0-9_-]{20}", "token", 27),
                Pattern(r"\bABSK[A-Za-z0-9+/]{100}", "token", 104),
                Pattern(r"\bbedrock-api-key-[A-Za-z0-9+/]{32}", "token", 48),
            ),
            reach=512,
        ),
        # What Secrets Manager and SSM's SecureString keep: told by where it stands.
        Detector("secret-value"),
    )
}
