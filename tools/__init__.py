"""What people run beside the cart; a package only so that tests can import from it."""
