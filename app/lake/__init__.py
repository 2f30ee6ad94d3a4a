"""The bucket: raw archive, partitions, quarantine and manifests."""
