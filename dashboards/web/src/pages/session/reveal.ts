// reveal scrolls only the box that something stands in, so that the page around it stays where it is. Where no box scrolls
// (on a phone) the page does.
export function reveal(place: Element | null, where: 'center' | 'nearest') {
  if (!place) return;
  const box = place.closest<HTMLElement>('[data-scrolls]');
  if (!box || box.scrollHeight <= box.clientHeight || getComputedStyle(box).overflowY === 'visible') {
    place.scrollIntoView({ block: where, behavior: 'smooth' });
    return;
  }
  const [inner, outer] = [place.getBoundingClientRect(), box.getBoundingClientRect()];
  const top = inner.top - outer.top;
  if (where === 'center') box.scrollBy({ top: top - Math.max(0, (outer.height - inner.height) / 2), behavior: 'smooth' });
  else if (top < 0) box.scrollBy({ top: top - 12, behavior: 'smooth' });
  else if (top + inner.height > outer.height) box.scrollBy({ top: Math.min(top - 12, top + inner.height - outer.height + 12), behavior: 'smooth' });
}
