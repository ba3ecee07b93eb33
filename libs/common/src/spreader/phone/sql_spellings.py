"""SQL of spellings: `spreader.phone.canonical` for statements that meet numbers as callers and gateways give them.

In each expression, `{0}` is a column of numbers.
"""

_D = "[0-9]"
_BRAZIL = f"{{0}} ~ '^55[1-9]{_D}[6-9]{_D * 7}$'"
_MEXICO = f"{{0}} ~ '^521{_D * 10}$'"
_ARGENTINA = f"{{0}} ~ '^54[1-8]{_D * 9}$'"

IS_NO_KEY = f"({_BRAZIL} OR {_MEXICO} OR {_ARGENTINA})"
"""Whether a number differs from its key."""

_TO_KEY = f"""WHEN {_BRAZIL} THEN left({{0}}, 4) || '9' || substr({{0}}, 5)
    WHEN {_MEXICO} THEN '52' || substr({{0}}, 4)
    WHEN {_ARGENTINA} THEN '549' || substr({{0}}, 3)"""

PERSON_KEY = f"CASE {_TO_KEY} ELSE {{0}} END"

SPELLINGS = f"""ARRAY[{{0}}, CASE WHEN left({{0}}, 2) NOT IN ('52', '54', '55') THEN NULL {_TO_KEY}
    WHEN {{0}} ~ '^55[1-9]{_D}9[6-9]{_D * 7}$' THEN left({{0}}, 4) || substr({{0}}, 6)
    WHEN {{0}} ~ '^52{_D * 10}$' THEN '521' || substr({{0}}, 3)
    WHEN {{0}} ~ '^549[1-8]{_D * 9}$' THEN '54' || substr({{0}}, 4)
    END]"""
"""The number and its other spelling. If there is none, the second element is null, and equals nothing."""
