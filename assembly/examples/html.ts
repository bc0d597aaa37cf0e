/** As much of HTML and of addresses as a crawler needs. */

export function titleOf(html: string): string {
  const start = html.indexOf('<title>');
  const end = html.indexOf('</title>');
  return start < 0 || end < start ? '' : html.substring(start + 7, end).trim();
}

/** Where the links of a page lead: addresses without their fragments, of HTTP only, repeated as they are in the page. */
export function linksOf(html: string, page: string): string[] {
  const links: string[] = [];
  for (let at = html.indexOf('<a '); at >= 0; at = html.indexOf('<a ', at + 1)) {
    const end = html.indexOf('>', at);
    if (end < 0) break;
    const url = resolve(attributeOf(html.substring(at, end), 'href'), page);
    if (url.length > 0) links.push(url);
  }
  return links;
}

/** `http://example.org:80` of `http://example.org:80/a/b` */
export function siteOf(url: string): string {
  const path = url.indexOf('/', url.indexOf('://') + 3);
  return path < 0 ? url : url.substring(0, path);
}

/** In quotes of either kind, or in none. */
function attributeOf(tag: string, name: string): string {
  const found = tag.indexOf(name + '=');
  if (found < 0) return '';
  const start = found + name.length + 1;
  const quote = tag.charAt(start);
  if (quote != '"' && quote != "'") return tag.substring(start).split(' ')[0];
  const end = tag.indexOf(quote, start + 1);
  return end < 0 ? '' : tag.substring(start + 1, end);
}

function resolve(href: string, page: string): string {
  const target = href.split('#')[0];
  if (target.length == 0) return '';
  if (target.startsWith('http://') || target.startsWith('https://')) return target;
  if (target.startsWith('//')) return page.substring(0, page.indexOf('//')) + target;
  if (target.startsWith('/')) return siteOf(page) + target;
  // mailto: and the like
  if (target.includes(':')) return '';
  return page.substring(0, page.lastIndexOf('/') + 1) + target;
}
