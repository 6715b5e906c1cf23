"""What cannot be had again, in one tar file: who may use the cluster, and what its models are.

    corral-backup.json                            what is in here: format, version, time, counts, digests
    keys.json                                     records of all keys, by the hashes of the keys
    blobs/sha256-<64 hex>                         parts of models: small ones, and weights when they were asked for
    manifests/<host>/<namespace>/<model>/<tag>    what each model consists of
    corral-backup.sha256                          the digest of every byte of the file up to here

Between the first two and the last it is an archive as `corral export` writes it. The last member makes it known whether
the file is whole and unchanged; the rest of the tar behind it is zeros.
"""
