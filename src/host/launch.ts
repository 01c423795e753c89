/** First of all: libuv reads the size of its thread pool once, at the pool's first use. */
process.env["UV_THREADPOOL_SIZE"] ??= "16";
