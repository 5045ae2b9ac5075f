# "age-keygen" prints such a key and writes its private half, which stays on the machine. Put your own here.
token_recipients = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
