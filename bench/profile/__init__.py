"""Profile: where the time of a reply goes, hop by hop, and where each service spends its processor time."""
