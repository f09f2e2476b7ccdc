"""One member of a consortium: CometBFT's application interface (ABCI 2.0) over its socket, and its RPC."""
