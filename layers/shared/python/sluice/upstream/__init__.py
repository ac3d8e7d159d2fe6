"""The model's side: which API a request is for, how it is asked, and asked again."""
