// Makes elements without HTML, so that no text of a model or a log can become a tag.

const NEAR_END_PX = 40

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

const scrolling = new Set()

/** Keep a list at its end while it grows, unless the user scrolled up. */
export function growing (list, grow) {
  if (!scrolling.has(list)) { // once a frame: reading sizes is slow
    scrolling.add(list)
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX
    requestAnimationFrame(() => {
      scrolling.delete(list)
      if (isAtEnd) list.scrollTop = list.scrollHeight
    })
  }
  grow()
}
