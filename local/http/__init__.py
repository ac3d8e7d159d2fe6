"""HTTP for both servers: ports, requests, signatures, the prelude of a streamed answer."""
