"""The store's side of the wire: takes charges, keeps the ledger, signs receipts. A program of its own."""
