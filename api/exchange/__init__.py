"""Files in and out 导入、导出."""

from __future__ import annotations

from api.exchange import exports, exports_pages, imports, imports_pages, terms_pages

API = (imports.api, exports.api)
PAGES = (imports_pages.pages, exports_pages.pages, terms_pages.pages)
