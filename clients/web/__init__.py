"""The web page that runs the pushed model in the browser."""
