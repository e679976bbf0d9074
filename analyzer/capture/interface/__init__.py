"""An interface as a source of packets: tcpdump or scapy, and the rights that they need."""
