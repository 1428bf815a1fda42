/** A small web server on this machine, for the foreign issuer and verifier. */
import {once} from 'node:events';
import {createServer} from 'node:http';

/**
 * @param routes functions by `METHOD /path`; each takes a request and returns status, headers, body
 * @returns the address of the server
 */
export async function serve(routes) {
  const server = createServer(async (incoming, outgoing) => {
    const {status = 200, headers, body} = await answer(routes, incoming);
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const usual = {'content-type': 'application/json', 'cache-control': 'no-store'};
    outgoing.writeHead(status, {...usual, ...headers}).end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

async function answer(routes, incoming) {
  const {pathname, searchParams} = new URL(incoming.url, 'http://127.0.0.1');
  const route = routes[`${incoming.method} ${pathname}`];
  if (route === undefined) {
    return {status: 404, body: {error: 'not_found'}};
  }
  const chunks = await collect(incoming);
  const text = Buffer.concat(chunks).toString();
  try {
    return await route({
      method: incoming.method,
      url: `http://${incoming.headers.host}${pathname}`,
      query: searchParams,
      headers: new Headers(incoming.headers),
      text
    });
  } catch (error) {
    console.error(error);
    return {status: 400, body: error.errorResponse ?? {error: 'invalid_request'}};
  }
}

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
  }
  return chunks;
}
