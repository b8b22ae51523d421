"""The built book as a folder for a web server: addresses, links, launch buttons, the page to print."""
