"""Where mails come from: an IMAP server (`imap`) or files (`archive`). Both give the same `Mail`."""
