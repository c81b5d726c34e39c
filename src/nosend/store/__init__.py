"""The SQLite file. Nothing outside this room speaks SQL.

`blacklist` is the reading side, for mailers (standard library only); `ledger` is the writing side, for
`service`; `overview` answers `status`, `show` and `review`; `schema` holds the tables.
"""
