"""What follows from what each side has changed or anonymised; pure. Imports only `dataflow`."""
