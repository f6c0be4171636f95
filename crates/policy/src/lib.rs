//! Candidate tags and a rule in, the chosen tag and the reason out.
