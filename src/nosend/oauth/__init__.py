"""Access tokens for a mailbox (OAuth 2, RFC 6749): asked for, kept, renewed.

`endpoint` speaks HTTP, `client` knows the requests, `device` and `redirect` are the two ways to ask a person,
`kept` holds the tokens between runs. Nothing here knows IMAP.
"""
