"""What both servers share: listening, signatures, the prelude of a streamed answer."""
