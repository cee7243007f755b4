"""The pages of the service, for people who follow the link of a mail: plain HTML, which works without scripts.

They are an adapter like the API: they parse a form, call the same use cases, and show the result
(docs/adr/0013-pages-are-an-adapter.md).
"""
