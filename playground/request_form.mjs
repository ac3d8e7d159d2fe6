// Turns what the user chose into a request: the provider's own JSON, or a template request.

/**
 * form: {transport, model, template, responseType, system}. turns: [{role, content}].
 * Returns {transport, isTemplate, responseType, path, document}.
 */
export function requestOf (form, turns, apiPath) {
  const { transport, model, template, responseType, system } = form
  if (usesTemplate(form)) {
    const named = template ? { prompt_template: template } : {}
    const document = { ...named, messages: turns, response_type: responseType }
    return { transport, isTemplate: true, responseType, path: '/', document }
  }
  const document = {
    ...(model ? { model } : {}),
    messages: system ? [{ role: 'system', content: system }, ...turns] : turns,
    stream: true,
    stream_options: { include_usage: true }
  }
  return { transport, isTemplate: false, responseType, path: `${apiPath}/chat/completions`, document }
}

/** Whether the gateway builds the provider's request; it then takes no model and no system text. */
export function usesTemplate ({ template, responseType }) {
  return template !== '' || responseType !== 'stream'
}

/** The message that carries a request over the WebSocket. */
export function messageOf ({ isTemplate, document }, id) {
  return isTemplate ? { ...document, id } : { action: 'chat', id, request: document }
}
