// Makes elements without HTML, so that no text of a model or a log can become a tag.

export function element (name, properties = {}, ...children) {
  const made = document.createElement(name)
  for (const [property, value] of Object.entries(properties)) {
    if (property in made) made[property] = value
    else made.setAttribute(property, value)
  }
  made.append(...children)
  return made
}

export const byId = (id) => document.getElementById(id)

/** Keep a list at its end while it grows, unless the user scrolled up. */
export function growing (list, grow) {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40
  grow()
  if (isAtEnd) list.scrollTop = list.scrollHeight
}
