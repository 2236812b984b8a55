# The binary and nothing else: make image
FROM scratch
COPY bin/doorward /doorward
ENV PATH=/
EXPOSE 8470 8471
ENTRYPOINT ["/doorward"]
CMD ["server"]
