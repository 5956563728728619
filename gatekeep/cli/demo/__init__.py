"""`gatekeep demo`: the whole product on one machine, told as a story."""
