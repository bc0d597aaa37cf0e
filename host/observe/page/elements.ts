/** What the programs of all pages make elements with. */

/** An element with text; names come into the page by no other way than as text. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  style: string,
  text: string | null = null,
  ...children: readonly Node[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (style !== '') made.className = style;
  if (text !== null) made.append(text);
  made.append(...children);
  return made;
}

/** A button that does something when it is pressed. */
export function buttonOf(style: string, content: Node | string, press: () => void): HTMLButtonElement {
  const button = element('button', style);
  button.type = 'button';
  button.append(content);
  button.addEventListener('click', press);
  return button;
}

export function find(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/** What a search does on its page. */
export interface Search {
  /** The text has changed. */
  look(): void;
  /** Enter: chooses the first of what was found. */
  choose(): void;
  /** The arrow downwards goes there. */
  readonly below: { focus(): void };
  readonly isOn: () => boolean;
  /** Escape ends what else is looked for; the text is empty then. */
  end(): void;
  /** Escape where nothing is looked for. */
  leave?(): void;
}

/** The keys of a search, which `/` leads to from anywhere on the page. */
export function searchBy(input: HTMLInputElement, search: Search): void {
  input.addEventListener('input', () => search.look());
  input.addEventListener('keydown', ({ key }) => {
    if (key === 'Enter') search.choose();
    if (key === 'ArrowDown') search.below.focus();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === '/' && document.activeElement !== input && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      input.focus();
    } else if (event.key === 'Escape' && search.isOn()) {
      input.value = '';
      search.end();
      search.look();
    } else if (event.key === 'Escape') search.leave?.();
  });
}

/**
 * Makes the tabs `to-NAME` show one of the panes `NAME`.
 *
 * @param shown is told which one
 */
export function tabs(names: readonly string[], shown: (name: string) => void): void {
  const view = (name: string): void => {
    for (const each of names) {
      find(each).hidden = each !== name;
      find(`to-${each}`).setAttribute('aria-selected', String(each === name));
      find(`to-${each}`).tabIndex = each === name ? 0 : -1;
    }
    shown(name);
  };
  for (const [place, name] of names.entries()) {
    const tab = find(`to-${name}`);
    tab.addEventListener('click', () => view(name));
    tab.addEventListener('keydown', ({ key }) => {
      if (key !== 'ArrowLeft' && key !== 'ArrowRight') return;
      const other = names.at((place + (key === 'ArrowLeft' ? -1 : 1)) % names.length) ?? name;
      view(other);
      find(`to-${other}`).focus();
    });
  }
}
