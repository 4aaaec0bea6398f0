"""The mathematics of decoding: rules, information measures, certificates, and the ledger of claims."""
