"""Condition: whether a person was erased, as a part of a statement that stores rows about persons."""


def is_erased(schema: str, recipient: str, at: str, more: str = "") -> str:
    """The condition that the person was erased at this time or later. `recipient` and `at` are SQL expressions. `more`:
    a further condition on the erasure. The statement needs the parameter `erasure_keys`, with the value of
    `ErasureTable.keys`.

    Postgres computes a hash only if there is an erasure from this time or later. So it almost never computes one.
    """
    return f"""EXISTS (
    SELECT FROM {schema}.erasure
    WHERE erasure.at >= {at} {more} AND erasure.hashes && ARRAY(
        SELECT encode(sha256(convert_to(secret || {recipient}, 'UTF8')), 'hex')
        FROM unnest(CAST(:erasure_keys AS text[])) AS secret))"""
