"""What serves every feature: requests and answers, the shell of a page, lists, forms, words."""
