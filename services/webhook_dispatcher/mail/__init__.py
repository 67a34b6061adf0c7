"""Mail: what automations ask to be sent, over the installation's SMTP server.

Owner: webhook_dispatcher. At least once: a mail whose receipt is in doubt goes out again under the same Message-ID.
"""
