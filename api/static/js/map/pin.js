// The pin that stands for one place.

export const PIN =
  '<svg viewBox="0 0 30 40" aria-hidden="true"><ellipse class="pin-foot" cx="15" cy="37" rx="7" ry="2.5"/>' +
  '<path class="pin-body" d="M15 37C9 28 3 22 3 14a12 12 0 0 1 24 0c0 8-6 14-12 23z"/>' +
  '<circle class="pin-hole" cx="15" cy="14" r="4.5"/></svg>';
