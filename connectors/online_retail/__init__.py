"""Online Retail: a year of a UK web shop (Chen, D., 2015, UCI Machine Learning Repository, doi 10.24432/C5BW33, CC BY 4.0)."""
