terraform {
  required_version = ">= 1.8" # for provider functions

  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}
