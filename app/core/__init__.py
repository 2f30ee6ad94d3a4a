"""The pure core: rules about launches as functions of data. Imports nothing but itself and Arrow."""
