"""Accounts 账户: sign-in, one's own page, people with an account, their roles and tokens."""

from __future__ import annotations

from api.accounts import pages, routes, security, signin

API = (security.api, routes.api)
PAGES = (signin.pages, pages.pages)
