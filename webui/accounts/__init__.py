"""Users of a server with logins: passwords, roles, sessions."""
