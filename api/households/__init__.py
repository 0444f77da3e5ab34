"""Households, residents, tenancies and special groups 家庭、居民、租住. All that is personal leaves masked."""

from __future__ import annotations

from api.households import homes, homes_pages, residents, residents_pages, tenancies, tenancies_pages

API = (homes.api, residents.api, tenancies.api)
PAGES = (homes_pages.pages, residents_pages.pages, tenancies_pages.pages)
