"""Paper: templates to PDF/A, rows to XLSX, seals on both, the public page that verifies them, uploads."""
