"""The schema of the JSON, and what checks against it or a part of it."""

from __future__ import annotations

import json
from functools import cache

import jsonschema
from results import ROOT

SCHEMA = json.loads((ROOT / "analyzer" / "report" / "schema.json").read_text(encoding="utf-8"))


@cache
def validator(part: str = "") -> jsonschema.Draft202012Validator:
    schema = {"$ref": part, "$defs": SCHEMA["$defs"]} if part else SCHEMA
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
