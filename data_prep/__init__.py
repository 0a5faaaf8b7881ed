"""Dataset row to prompt: makes parquet files in verl's format, through one schema and one writer."""
