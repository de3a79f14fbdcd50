"""The money and the road to it: programmes, dated standards, rounds, applications, reviews, payment."""
